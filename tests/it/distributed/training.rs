//! Training by several processes on this machine: what they end in, and how they end when one of them does not fit or is
//! lost.

use crate::train::trainer::{TINY, Workplace, result};
use assert_cmd::cargo::cargo_bin;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// An address that nobody listens at.
pub(crate) fn address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A rank with these options, beside or in place of the usual ones.
fn rank(place: &Workplace, options: &[(&str, &str)]) -> Child {
    let mut all = BTreeMap::from([
        ("--profile", "tiny.toml"),
        ("--prepared", "prepared"),
        ("--runs", "runs"),
        ("--variant", "gal-j"),
        ("--seed", "5"),
        ("--device", "cpu"),
        ("--threads", "1"),
        ("--ranks", "2"),
        ("--patience", "60"),
    ]);
    all.extend(options.iter().copied());
    let mut command = Command::new(cargo_bin!("gal-bench"));
    command.current_dir(place.folder.path()).arg("train").args(all.iter().flat_map(|(name, value)| [name, value]));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Two ranks, the second with a runs folder of its own.
fn start(place: &Workplace, runs: &str, variant: &str) -> [Child; 2] {
    let meet = address();
    [("0", runs.to_owned()), ("1", format!("{runs}-1"))].map(|(number, runs)| {
        rank(place, &[("--rank", number), ("--runs", &runs), ("--variant", variant), ("--meet", &meet)])
    })
}

fn together(place: &Workplace, runs: &str, variant: &str) {
    for child in start(place, runs, variant) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The sentence that a process with exit code 2 ends in.
fn sentence(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    text.lines().last().unwrap().to_owned()
}

/// What a rank says as it goes.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap)
}

fn folder(place: &Workplace, runs: &str, variant: &str) -> PathBuf {
    place.path(&format!("{runs}/synthetic-tiny-{variant}-seed5"))
}

fn network(folder: &Path) -> BTreeMap<String, Vec<f32>> {
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let tensors = candle_core::safetensors::load(folder.join("checkpoint.safetensors"), &Device::Cpu).unwrap();
    tensors.iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect()
}

#[test]
fn two_ranks_end_in_the_same_bytes_every_time_and_rank_0_says_so() {
    let place = Workplace::new();
    together(&place, "first", "gal-j");
    together(&place, "second", "gal-j");
    assert!(result(&place.path("first"), "gal-j") == result(&place.path("second"), "gal-j"));
    assert!(!place.path("first-1").exists());
    let read = |name: &str| std::fs::read_to_string(folder(&place, "first", "gal-j").join(name)).unwrap();
    assert!(read("config.toml").contains("\nranks = 2\n"));
    let summary = read("summary.json");
    assert!(summary.contains("shares of 4 images of a batch of 8") && summary.contains("2 ranks, rank 0 on cpu"));
}

#[test]
fn a_run_of_one_rank_is_not_taken_for_one_of_two() {
    let place = Workplace::new();
    place.train("runs", &[crate::train::trainer::named("baseline")]);
    assert!(
        !std::fs::read_to_string(folder(&place, "runs", "baseline").join("config.toml")).unwrap().contains("ranks")
    );
    let said = start(&place, "runs", "baseline").map(sentence);
    assert!(said[0].contains("it was trained by 1 ranks, this one by 2"), "{said:?}");
    assert!(said[1].contains("rank 0 stopped: the run folder"), "{said:?}");
}

#[test]
fn gal_c_with_two_ranks_is_that_of_one_but_for_rounding() {
    // Its backbone is frozen: no batch norm sees a share. Cut in the centre, its features are computed once by each rank.
    let place = Workplace::with(&TINY.replace("\"random\"", "\"centre\""));
    together(&place, "two", "baseline");
    let (from, to) = (folder(&place, "two", "baseline"), folder(&place, "one", "baseline"));
    std::fs::create_dir_all(&to).unwrap();
    for name in ["summary.json", "checkpoint.safetensors"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let config = std::fs::read_to_string(from.join("config.toml")).unwrap();
    std::fs::write(to.join("config.toml"), config.replace("ranks = 2\n", "")).unwrap();

    together(&place, "two", "gal-c");
    place.train("one", &[crate::train::trainer::named("gal-c")]);
    let logged = |runs: &str| -> Vec<(f64, f64)> {
        let lines = std::fs::read_to_string(folder(&place, runs, "gal-c").join("metrics.jsonl")).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter_map(|line| Some((line["loss_cln"].as_f64()?, line["training_accuracy_cln"].as_f64()?))).collect()
    };
    let (one, two) = (logged("one"), logged("two"));
    assert_eq!((one.len(), two.len()), (10, 10));
    for (one, two) in one.iter().zip(&two) {
        assert!((one.0 - two.0).abs() < 1e-4 * one.0, "{one:?} {two:?}");
        // But for an answer whose probability is one half.
        assert!((one.1 - two.1).abs() < 1.5 / 320.0, "{one:?} {two:?}");
    }

    let [one, two] = ["one", "two"].map(|runs| network(&folder(&place, runs, "gal-c")));
    let baseline = network(&to);
    for (name, one) in &one {
        let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>().sqrt();
        let apart =
            norm(&mut one.iter().zip(&two[name]).map(|(a, b)| a - b)) / norm(&mut one.iter().copied()).max(1e-6);
        assert!(apart < 1e-4, "{name}: {apart}");
        assert!(baseline.contains_key(name) || one.iter().any(|value| *value != 0.0), "{name} was not trained");
    }
}

#[test]
fn lost_ranks_end_the_others_and_all_go_on_to_the_bytes_of_an_undisturbed_run() {
    let place = Workplace::with(&TINY.replace("steps = 40", "steps = 200"));
    together(&place, "undisturbed", "gal-j");
    let state = folder(&place, "killed", "gal-j").join("resume.safetensors");
    let written = || std::fs::metadata(&state).and_then(|data| data.modified()).ok();
    for killed in [1, 0, 1] {
        let before = written();
        let mut children = start(&place, "killed", "gal-j");
        while written() == before {
            assert!(children[0].try_wait().unwrap().is_none(), "rank 0 ended too early");
            std::thread::yield_now();
        }
        children[killed].kill().unwrap();
        for (rank, child) in children.into_iter().enumerate() {
            if rank == killed {
                child.wait_with_output().unwrap();
            } else {
                let said = sentence(child);
                let expected = format!("rank {killed} was lost (its process ended): start all ranks again");
                assert!(said.contains(&expected), "{said}");
            }
        }
        assert!(state.exists() && !folder(&place, "killed", "gal-j").join("summary.json").exists());
    }
    together(&place, "killed", "gal-j");
    assert!(result(&place.path("undisturbed"), "gal-j") == result(&place.path("killed"), "gal-j"));
    assert!(!state.exists());
}

#[test]
fn a_rank_that_differs_is_refused_with_the_difference() {
    let place = Workplace::new();
    let other = TINY.replace("momentum = 0.9", "momentum = 0.8");
    std::fs::write(place.path("other.toml"), other).unwrap();
    let cases = [
        (("--profile", "other.toml"), "its configuration says `momentum = 0.8`, this one `momentum = 0.9`"),
        (("--seed", "6"), "its choice of seeds is 6, rank 0's 5"),
        (("--ranks", "4"), "its number of ranks is 4, rank 0's 2"),
    ];
    for (other, difference) in cases {
        let meet = address();
        let ranks = [
            rank(&place, &[("--rank", "0"), ("--meet", &meet)]),
            rank(&place, &[("--rank", "1"), ("--meet", &meet), other]),
        ];
        for said in ranks.map(sentence) {
            assert!(said.contains(&format!("rank 1 does not fit rank 0 ({difference})")), "{said}");
        }
    }
    assert!(!place.path("runs").exists());
}

#[test]
fn a_rank_that_nobody_meets_ends_in_a_sentence() {
    let place = Workplace::new();
    for (number, expected) in [("1", "rank 0 cannot be reached at"), ("0", "rank 1 did not come to")] {
        let said = sentence(rank(&place, &[("--rank", number), ("--meet", &address()), ("--patience", "1")]));
        assert!(said.contains(expected) && said.contains("within 1 s") && said.contains("--patience"), "{said}");
    }
}

#[test]
fn a_batch_that_cannot_be_shared_out_is_refused_before_anyone_is_met() {
    let place = Workplace::new();
    for (ranks, expected) in [("3", "a batch of 8 cannot be shared out evenly among 3"), ("8", "batch norm needs two")]
    {
        let said = sentence(rank(&place, &[("--rank", "0"), ("--ranks", ranks), ("--meet", "nowhere:1")]));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_run_that_diverges_in_its_last_step_ends_in_a_sentence_on_all_ranks() {
    let place = Workplace::with(&TINY.replace("steps = 40", "steps = 1").replace("initial = 0.01", "initial = 1e300"));
    let said = start(&place, "runs", "gal-j").map(sentence);
    assert!(said[0].contains("training diverged: at step 0"), "{said:?}");
    assert!(said[1].contains("rank 0 stopped: training diverged: at step 0"), "{said:?}");
}

/// Calls at `address`, twice, and with the first call says a greeting byte by byte; whether the other side hung up before it had
/// done.
fn stranger(address: &str) -> bool {
    let pause = || std::thread::sleep(Duration::from_millis(10));
    let called = (0..1000).find_map(|_| TcpStream::connect(address).map_err(|_| pause()).ok());
    let mut first = called.expect("somebody listens");
    drop(TcpStream::connect(address));
    let _ = first.write_all(&[b'd', 0, 0, 8, 0, 0, 0, 0, 0]);
    (0..3000).any(|_| {
        pause();
        first.write_all(b" ").is_err()
    })
}

#[test]
fn a_stranger_who_does_not_stop_talking_holds_up_nobody() {
    let place = Workplace::new();
    let meet = address();
    std::thread::scope(|scope| {
        let alone = rank(&place, &[("--rank", "0"), ("--meet", &meet), ("--patience", "2")]);
        let stranger = scope.spawn(|| stranger(&meet));
        assert!(sentence(alone).contains("rank 1 did not come to"));
        assert!(stranger.join().unwrap());
    });
    std::thread::scope(|scope| {
        let mut first = rank(&place, &[("--rank", "0"), ("--meet", &meet)]);
        let stranger = scope.spawn(|| stranger(&meet));
        let mut said = lines(&mut first);
        assert!(said.any(|line| line.contains("somebody called who is not a rank")));
        let second = rank(&place, &[("--rank", "1"), ("--meet", &meet), ("--runs", "runs-1")]);
        let said: Vec<String> = said.collect();
        assert!(first.wait().unwrap().success(), "{said:?}");
        assert!(second.wait_with_output().unwrap().status.success());
        assert!(stranger.join().unwrap());
    });
}

#[test]
fn a_rank_that_is_killed_before_all_are_there_may_be_started_again() {
    let place = Workplace::new();
    let meet = address();
    let another = |number: &str| {
        let runs = format!("runs-{number}");
        rank(&place, &[("--rank", number), ("--ranks", "4"), ("--meet", &meet), ("--runs", &runs)])
    };
    let mut first = another("0");
    let mut said = lines(&mut first);
    let mut killed = another("1");
    assert!(said.any(|line| line == "rank 1 has come"));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let others = ["1", "2", "3"].map(another);
    let said: Vec<String> = said.collect();
    assert!(first.wait().unwrap().success(), "{said:?}");
    for child in others {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
