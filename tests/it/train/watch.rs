//! The records of a run: TensorBoard events, metrics, the error of a diverging run, and the final table.

use crate::common::gal_bench::GalBench;
use crate::common::training::{TINY, metrics};
use crate::common::workspace::Workspace;
use std::path::Path;

fn train(workspace: &Workspace, runs: &str, variant: &str) -> GalBench {
    let usual = "train --seed 5 --device cpu --profile tiny.toml --prepared prepared";
    workspace.gal_bench(&format!("{usual} --runs {runs} --variant {variant}"))
}

/// CRC-32C bit by bit, as RFC 3720 defines it, with TFRecord's mask.
fn masked(bytes: &[u8]) -> u32 {
    let mut sum = !0_u32;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0x82f6_3b78 * (sum & 1));
        }
    }
    (!sum).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A varint, and the bytes after it.
fn varint(bytes: &[u8]) -> (u64, &[u8]) {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let number = bytes[..=end].iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f));
    (number, &bytes[end + 1..])
}

/// The fields of a message: number of the field, its varint, and the bytes of other wire types.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (key, rest) = varint(bytes);
        let (number, length, rest) = match key & 7 {
            0 => {
                let (number, rest) = varint(rest);
                (number, 0, rest)
            }
            1 => (0, 8, rest),
            5 => (0, 4, rest),
            2 => {
                let (length, rest) = varint(rest);
                (0, length as usize, rest)
            }
            other => panic!("wire type {other}"),
        };
        found.push((key >> 3, number, &rest[..length]));
        bytes = &rest[length..];
    }
    found
}

/// Steps and tags in a run's event file; all checksums are verified.
fn events(folder: &Path) -> Vec<(u64, String)> {
    let name = format!("events.out.tfevents.{}", folder.file_name().unwrap().to_str().unwrap());
    let bytes = std::fs::read(folder.join(name)).unwrap();
    let (mut rest, mut found) = (bytes.as_slice(), Vec::new());
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        assert_eq!(number(&rest[8..12]), masked(&rest[..8]));
        let event = &rest[12..12 + length];
        assert_eq!(number(&rest[12 + length..16 + length]), masked(event));
        rest = &rest[16 + length..];
        let event = fields(event);
        let step = event.iter().find(|(field, ..)| *field == 2).map_or(0, |(_, step, _)| *step);
        match event.last().unwrap() {
            (3, _, version) => assert_eq!((*version, found.len()), (&b"brain.Event:2"[..], 0)),
            (5, _, summary) => found.extend(fields(summary).into_iter().map(|(_, _, value)| {
                let tag = fields(value)[0].2;
                (step, String::from_utf8(tag.to_vec()).unwrap())
            })),
            other => panic!("field {}", other.0),
        }
    }
    found
}

#[test]
fn events_hold_losses_rates_accuracies_and_images_of_the_affinity() {
    let workspace = Workspace::trainable();
    train(&workspace, "runs", "gal-j").succeeds();
    let found = events(&workspace.run("runs", "gal-j"));
    let steps = |tag: &str| found.iter().filter(|(_, t)| t == tag).map(|(step, _)| *step).collect::<Vec<_>>();
    let logged: Vec<u64> = (4..=40).step_by(4).collect();
    for tag in ["loss/fln", "loss/cln", "accuracy/training_fln", "accuracy/training_cln", "learning_rate"] {
        assert_eq!(steps(tag), logged, "{tag}");
    }
    assert_eq!(steps("speed/images_per_second"), logged);
    assert_eq!(steps("speed/data_wait"), logged);
    for tag in ["accuracy/validation_fln", "accuracy/validation_cln", "affinity/validation"] {
        assert_eq!(steps(tag), [10, 20, 30, 40], "{tag}");
    }
    assert_eq!(steps("affinity/test"), [40]);
}

#[test]
fn a_killed_and_resumed_run_records_every_event_once() {
    let workspace = Workspace::trainable();
    train(&workspace, "undisturbed", "gal-p").succeeds();
    let folder = workspace.run("killed", "gal-p");
    let mut child = train(&workspace, "killed", "gal-p").args(["--quiet"]).spawn();
    while !folder.join("training-state.safetensors").exists() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(folder.join("training-state.safetensors").exists(), "the run ended before it could be killed");
    // A kill may cut a record, and may come after steps that are not in the checkpoint.
    let name = folder.join("events.out.tfevents.synthetic-tiny-gal-p-seed5");
    let mut torn = std::fs::read(&name).unwrap();
    let later =
        workspace.bytes("undisturbed/synthetic-tiny-gal-p-seed5/events.out.tfevents.synthetic-tiny-gal-p-seed5");
    torn.extend(&later[torn.len()..later.len() - 7]);
    std::fs::write(&name, torn).unwrap();
    train(&workspace, "killed", "gal-p").succeeds();
    assert_eq!(events(&folder), events(&workspace.run("undisturbed", "gal-p")));
}

#[test]
fn lines_of_metrics_hold_accuracy_and_data_wait_as_shares() {
    let workspace = Workspace::trainable();
    train(&workspace, "runs", "gal-j").succeeds();
    let lines = metrics(&workspace.run("runs", "gal-j"));
    let training: Vec<_> = lines.iter().filter(|line| line.get("lr").is_some()).collect();
    assert_eq!(training.len(), 10);
    for line in training {
        for name in ["training_accuracy_fln", "training_accuracy_cln", "data_wait"] {
            let share = line[name].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&share), "{name} {share}");
        }
    }
}

/// A workspace whose learning rate grows from 0 beyond all bounds.
fn diverging() -> Workspace {
    let schedule = r#"{ kind = "cyclical", minimum = 0.0, maximum = 1e30, half_cycle = 10 }"#;
    let profile = TINY
        .replace(r#"{ kind = "polynomial", initial = 0.01, power = 1.0 }"#, schedule)
        .replace("checkpoint_every = 4", "checkpoint_every = 1");
    Workspace::trainable_with(&profile)
}

#[test]
fn a_diverging_run_names_step_and_images_and_keeps_its_last_checkpoint() {
    let workspace = diverging();
    let folder = workspace.run("runs", "gal-j");
    for _ in 0..2 {
        let sentence = train(&workspace, "runs", "gal-j").fails_with("training diverged");
        let step = sentence.strip_prefix("error: training diverged: at step ").expect(&sentence);
        let step: usize = step.split(',').next().unwrap().parse().unwrap();
        assert!((1..10).contains(&step), "{sentence}");
        assert!(sentence.contains("and 5 more") && sentence.contains("--force"), "{sentence}");
        assert!(
            folder.join("training-state.safetensors").exists() && sentence.contains("training-state.safetensors"),
            "{sentence}"
        );
        let batch = std::fs::read_to_string(folder.join("diverged-batch.csv")).unwrap();
        let rows: Vec<&str> = batch.lines().skip(1).collect();
        assert_eq!(rows.len(), 8, "{batch}");
        for row in &rows[..3] {
            let source = row.split(',').nth(1).unwrap();
            assert!(source.starts_with("synthetic/") && sentence.contains(source), "{source} in {sentence}");
        }
        assert!(!folder.join("summary.json").exists());
    }
}

#[test]
fn training_ends_in_a_table_of_accuracy_floor_and_seconds() {
    let workspace = Workspace::trainable();
    let text = train(&workspace, "runs", "gal-j").succeeds().stdout;
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["variant", "seed", "head", "accuracy", "floor", "gain", "seconds"]);
    assert_eq!(
        (lines[1][..3].to_vec(), lines[2][..3].to_vec()),
        (vec!["gal-j", "5", "FLN"], vec!["gal-j", "5", "CLN"])
    );
    let evaluation = gal_bench::evaluate::Evaluation::of_run(&workspace.run("runs", "gal-j")).unwrap();
    assert_eq!(lines[2][3], format!("{:.2}", 100.0 * evaluation.primary_head().mean_accuracy()));
    assert_eq!(lines[2][4], format!("{:.2}", 100.0 * evaluation.primary_head().mean_floor()));
}
