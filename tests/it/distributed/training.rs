//! Training by several processes on this machine: their results, and their errors when one differs or is lost.

use crate::common::gal_bench::Finished;
use crate::common::training::{TINY, metrics, outputs};
use crate::common::workspace::{Workspace, free_address};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

/// A rank with these options, which add to the usual ones or replace them.
fn rank(workspace: &Workspace, options: &[(&str, &str)]) -> Child {
    let mut all = BTreeMap::from([
        ("--profile", "tiny.toml"),
        ("--prepared", "prepared"),
        ("--runs", "runs"),
        ("--variant", "gal-j"),
        ("--seed", "5"),
        ("--device", "cpu"),
        ("--threads", "1"),
        ("--world-size", "2"),
        ("--timeout", "60"),
    ]);
    all.extend(options.iter().copied());
    workspace.gal_bench("train").args(all.iter().flat_map(|(name, value)| [name, value])).spawn()
}

/// Two ranks; the second has its own runs folder.
fn start(workspace: &Workspace, runs: &str, variant: &str) -> [Child; 2] {
    let endpoint = free_address();
    [("0", runs.to_owned()), ("1", format!("{runs}-1"))].map(|(number, runs)| {
        rank(
            workspace,
            &[("--rank", number), ("--runs", &runs), ("--variant", variant), ("--rdzv-endpoint", &endpoint)],
        )
    })
}

fn together(workspace: &Workspace, runs: &str, variant: &str) {
    for child in start(workspace, runs, variant) {
        Finished::wait(child).succeeded();
    }
}

fn error(child: Child) -> String {
    Finished::wait(child).error()
}

/// The lines that a rank logs.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap)
}

fn network(folder: &Path) -> BTreeMap<String, Vec<f32>> {
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let tensors = candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).unwrap();
    tensors.iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect()
}

#[test]
fn two_ranks_end_in_the_same_bytes_every_time_and_rank_0_records_them() {
    let workspace = Workspace::trainable();
    together(&workspace, "first", "gal-j");
    together(&workspace, "second", "gal-j");
    assert!(outputs(&workspace.run("first", "gal-j")) == outputs(&workspace.run("second", "gal-j")));
    assert!(!workspace.exists("first-1"));
    let read = |name: &str| std::fs::read_to_string(workspace.run("first", "gal-j").join(name)).unwrap();
    assert!(read("config.toml").contains("\nranks = 2\n"));
    let summary = read("summary.json");
    assert!(summary.contains("over 4 images on each of 2 ranks") && summary.contains("2 ranks, rank 0 on cpu"));
}

/// A process whose rank is set by `flags` or by `environment`.
fn launch(workspace: &Workspace, runs: &str, flags: &[&str], environment: &[(&str, &str)]) -> Child {
    let words = "train --profile tiny.toml --prepared prepared --variant gal-j --seed 5 --threads 1";
    workspace.gal_bench(words).args(["--runs", runs]).args(flags).envs(environment).spawn()
}

#[test]
fn ranks_from_the_environment_end_in_the_bytes_of_ranks_from_flags() {
    let workspace = Workspace::trainable();
    together(&workspace, "flags", "gal-j");
    let endpoint = free_address();
    let port = endpoint.rsplit(':').next().unwrap();
    let ranks = [("0", "environment"), ("1", "environment-1")].map(|(rank, runs)| {
        let torchrun = [("WORLD_SIZE", "2"), ("RANK", rank), ("LOCAL_RANK", rank)];
        let master = [("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", port)];
        launch(&workspace, runs, &[], &[&torchrun[..], &master].concat())
    });
    for child in ranks {
        Finished::wait(child).succeeded();
    }
    let run = workspace.run("environment", "gal-j");
    assert!(outputs(&workspace.run("flags", "gal-j")) == outputs(&run));
    let summary = std::fs::read_to_string(run.join("summary.json")).unwrap();
    assert!(summary.contains("--variant gal-j --seed 5 --world-size 2\""), "{summary}");
}

#[test]
fn two_ranks_with_synchronized_batch_norm_end_in_the_network_of_one_process() {
    let workspace = Workspace::trainable();
    // Rounding that switches a ReLU grows from step to step.
    let few = ["--steps", "5"];
    Finished::wait(launch(&workspace, "alone", &few, &[])).succeeded();
    for (runs, options) in [("local", &[][..]), ("synchronized", &["--sync-bn"])] {
        let endpoint = free_address();
        let ranks = [("0", runs.to_owned()), ("1", format!("{runs}-1"))].map(|(rank, runs)| {
            let flags = ["--world-size", "2", "--rank", rank, "--rdzv-endpoint", &endpoint];
            launch(&workspace, &runs, &[&few[..], &flags, options].concat(), &[])
        });
        for child in ranks {
            Finished::wait(child).succeeded();
        }
    }
    let run = |runs: &str| workspace.path(format!("{runs}/synthetic-tiny-steps5-gal-j-seed5"));
    let alone = network(&run("alone"));
    let distance = |runs: &str| {
        let network = network(&run(runs));
        let pairs = alone.iter().flat_map(|(name, values)| values.iter().zip(&network[name]));
        pairs.map(|(alone, other)| (alone - other).abs()).fold(0.0, f32::max)
    };
    let (synchronized, local) = (distance("synchronized"), distance("local"));
    assert!(100.0 * synchronized < local, "{synchronized}, {local}");
    let summary = std::fs::read_to_string(run("synchronized").join("summary.json")).unwrap();
    assert!(summary.contains("--sync-bn --world-size 2\"") && !summary.contains("on each of 2 ranks"), "{summary}");
}

#[test]
fn the_former_names_of_the_flags_still_work_and_a_malformed_variable_is_an_error() {
    let workspace = Workspace::trainable();
    let address = free_address();
    let flags = ["--ranks", "2", "--rank", "1", "--meet", &address, "--patience", "1"];
    let said = error(launch(&workspace, "runs", &flags, &[("WORLD_SIZE", "one")]));
    assert!(said.contains("rank 0 cannot be reached at") && said.contains("within 1 s"), "{said}");
    let said = error(launch(&workspace, "runs", &[], &[("WORLD_SIZE", "one")]));
    assert!(said.contains("the environment variable WORLD_SIZE is \"one\""), "{said}");
}

#[test]
fn a_run_of_one_rank_is_refused_by_two() {
    let workspace = Workspace::trainable();
    workspace.train("runs", &["baseline"]);
    assert!(!std::fs::read_to_string(workspace.run("runs", "baseline").join("config.toml")).unwrap().contains("ranks"));
    let said = start(&workspace, "runs", "baseline").map(error);
    assert!(said[0].contains("it was trained by 1 ranks, this one by 2"), "{said:?}");
    assert!(said[1].contains("rank 0 stopped: the run folder"), "{said:?}");
}

#[test]
fn gal_c_with_two_ranks_equals_that_of_one_up_to_rounding() {
    // The backbone is frozen, so batch norm uses no batch statistics. With center crops each rank computes the features once.
    let workspace = Workspace::trainable_with(&TINY.replace("\"random\"", "\"centre\""));
    together(&workspace, "two", "baseline");
    let (from, to) = (workspace.run("two", "baseline"), workspace.run("one", "baseline"));
    std::fs::create_dir_all(&to).unwrap();
    std::fs::copy(from.join("model.safetensors"), to.join("model.safetensors")).unwrap();
    // Without digests, as an earlier version wrote it: the configuration is edited.
    let mut summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(from.join("summary.json")).unwrap()).unwrap();
    for key in ["files", "digest"] {
        summary.as_object_mut().unwrap().remove(key);
    }
    std::fs::write(to.join("summary.json"), summary.to_string()).unwrap();
    let config = std::fs::read_to_string(from.join("config.toml")).unwrap();
    std::fs::write(to.join("config.toml"), config.replace("ranks = 2\n", "")).unwrap();

    together(&workspace, "two", "gal-c");
    workspace.train("one", &["gal-c"]);
    let logged = |runs: &str| -> Vec<(f64, f64)> {
        let lines = metrics(&workspace.run(runs, "gal-c")).into_iter();
        lines.filter_map(|line| Some((line["loss_cln"].as_f64()?, line["training_accuracy_cln"].as_f64()?))).collect()
    };
    let (one, two) = (logged("one"), logged("two"));
    assert_eq!((one.len(), two.len()), (10, 10));
    for (one, two) in one.iter().zip(&two) {
        assert!((one.0 - two.0).abs() < 1e-4 * one.0, "{one:?} {two:?}");
        // A prediction with a probability of one half may differ.
        assert!((one.1 - two.1).abs() < 1.5 / 320.0, "{one:?} {two:?}");
    }

    let [one, two] = ["one", "two"].map(|runs| network(&workspace.run(runs, "gal-c")));
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
fn lost_ranks_end_the_others_and_all_resume_to_the_bytes_of_an_undisturbed_run() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 200"));
    together(&workspace, "undisturbed", "gal-j");
    let state = workspace.run("killed", "gal-j").join("training-state.safetensors");
    let written = || std::fs::metadata(&state).and_then(|data| data.modified()).ok();
    for killed in [1, 0, 1] {
        let before = written();
        let mut children = start(&workspace, "killed", "gal-j");
        while written() == before {
            assert!(children[0].try_wait().unwrap().is_none(), "rank 0 ended too early");
            std::thread::yield_now();
        }
        children[killed].kill().unwrap();
        for (rank, child) in children.into_iter().enumerate() {
            if rank == killed {
                child.wait_with_output().unwrap();
            } else {
                let said = error(child);
                let expected = format!("rank {killed} was lost (its process ended): start all ranks again");
                assert!(said.contains(&expected), "{said}");
            }
        }
        assert!(state.exists() && !workspace.run("killed", "gal-j").join("summary.json").exists());
    }
    together(&workspace, "killed", "gal-j");
    assert!(outputs(&workspace.run("undisturbed", "gal-j")) == outputs(&workspace.run("killed", "gal-j")));
    assert!(!state.exists());
}

#[test]
fn a_rank_that_differs_is_refused_with_the_difference() {
    let workspace = Workspace::trainable();
    let other = TINY.replace("momentum = 0.9", "momentum = 0.8");
    workspace.write("other.toml", other);
    let cases = [
        (("--profile", "other.toml"), "its profile has `momentum = 0.8`, rank 0's `momentum = 0.9`"),
        (("--seed", "6"), "its choice of seeds is 6, rank 0's 5"),
        (("--world-size", "4"), "its world size is 4, rank 0's 2"),
    ];
    let endpoint = free_address();
    let main = rank(&workspace, &[("--rank", "0"), ("--rdzv-endpoint", &endpoint)]);
    for (other, difference) in cases {
        let said = error(rank(&workspace, &[("--rank", "1"), ("--rdzv-endpoint", &endpoint), other]));
        assert!(said.contains(&format!("rank 1 does not match rank 0 ({difference})")), "{said}");
    }
    // Rank 0 has waited for a rank that matches.
    let fitting = rank(&workspace, &[("--rank", "1"), ("--rdzv-endpoint", &endpoint), ("--runs", "runs-1")]);
    for child in [main, fitting] {
        Finished::wait(child).succeeded();
    }
}

#[test]
fn a_rank_without_the_secret_is_sent_away_and_learns_nothing() {
    let workspace = Workspace::trainable();
    let endpoint = free_address();
    let start = |number: &str, runs: &str, secret: &str| {
        let words = "train --profile tiny.toml --prepared prepared --variant gal-j --seed 5 --threads 1 --timeout 60";
        let flags = ["--world-size", "2", "--rank", number, "--runs", runs, "--rdzv-endpoint", &endpoint];
        workspace.gal_bench(words).args(flags).envs(&[("GAL_BENCH_SECRET", secret)]).spawn()
    };
    let main = start("0", "runs", "a secret of this test");
    let said = error(start("1", "runs-1", "another secret of this test"));
    assert!(said.contains("rank 0 has another secret: set GAL_BENCH_SECRET"), "{said}");
    let said = error(start("1", "runs-1", "short"));
    assert!(said.contains("GAL_BENCH_SECRET has 5 characters"), "{said}");
    // A caller that repeats what a rank sends gets the random number of rank 0 and no byte more.
    let mut caller = TcpStream::connect(&endpoint).unwrap();
    let mut greeting = [0; 9 + 32];
    caller.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting[..9], *b"d\x20\0\0\0\0\0\0\0");
    caller.write_all(&[&b"d\x40\0\0\0\0\0\0\0"[..], &greeting[9..], &greeting[9..]].concat()).unwrap();
    assert_eq!(caller.read_to_end(&mut Vec::new()).unwrap_or(0), 0);
    for child in [main, start("1", "runs-1", "a secret of this test")] {
        Finished::wait(child).succeeded();
    }
}

#[test]
fn an_address_that_other_machines_reach_needs_a_secret() {
    let workspace = Workspace::trainable();
    let said = error(rank(&workspace, &[("--rank", "0"), ("--rdzv-endpoint", "0.0.0.0:29999")]));
    assert!(said.contains("other machines reach 0.0.0.0:29999") && said.contains("GAL_BENCH_SECRET"), "{said}");
}

#[test]
fn two_ranks_start_from_a_run_and_must_name_the_same_one() {
    let workspace = Workspace::trainable();
    workspace.train("runs", &["baseline", "gal-j"]);
    let start = |runs: [&str; 2]| {
        let endpoint = free_address();
        [("0", runs[0]), ("1", runs[1])].map(|(number, run)| {
            let run = format!("runs/synthetic-tiny-{run}-seed5");
            rank(&workspace, &[("--rank", number), ("--rdzv-endpoint", &endpoint), ("--init", &run)])
        })
    };
    let [mut main, other] = start(["baseline", "gal-j"]);
    let said = error(other);
    assert!(said.contains("(its start is the backbone of run synthetic-tiny-gal-j-seed5"), "{said}");
    main.kill().unwrap();
    main.wait().unwrap();
    for child in start(["gal-j", "gal-j"]) {
        Finished::wait(child).succeeded();
    }
    assert!(workspace.exists("runs/synthetic-tiny-from-synthetic-gal-j-seed5/summary.json"));
}

#[test]
fn a_rank_that_cannot_connect_ends_in_a_sentence() {
    let workspace = Workspace::trainable();
    for (number, expected) in [("1", "rank 0 cannot be reached at"), ("0", "rank 1 did not connect to")] {
        let said =
            error(rank(&workspace, &[("--rank", number), ("--rdzv-endpoint", &free_address()), ("--timeout", "1")]));
        assert!(said.contains(expected) && said.contains("within 1 s") && said.contains("--timeout"), "{said}");
    }
}

#[test]
fn a_batch_that_cannot_be_split_is_refused_before_connecting() {
    let workspace = Workspace::trainable();
    for (ranks, expected) in [("3", "a batch of 8 cannot be split evenly among 3"), ("8", "batch norm needs two")] {
        let said =
            error(rank(&workspace, &[("--rank", "0"), ("--world-size", ranks), ("--rdzv-endpoint", "nowhere:1")]));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_run_that_diverges_in_its_last_step_ends_in_a_sentence_on_all_ranks() {
    let workspace = Workspace::trainable_with(
        &TINY.replace("steps = 40", "steps = 1").replace("initial = 0.01", "initial = 1e300"),
    );
    let said = start(&workspace, "runs", "gal-j").map(error);
    assert!(said[0].contains("training diverged: at step 0"), "{said:?}");
    assert!(said[1].contains("rank 0 stopped: training diverged: at step 0"), "{said:?}");
}

#[test]
fn ranks_stop_the_same_diverged_correlation_net_and_end_as_without_it() {
    let workspace = Workspace::trainable_with(&TINY.replace("head_rate = 1.0", "head_rate = 300.0"));
    for (runs, variants) in
        [("with", &["--variant", "gal-j", "--variant", "gal-p"][..]), ("without", &["--variant", "gal-p"])]
    {
        let endpoint = free_address();
        let words = "train --profile tiny.toml --prepared prepared --seed 5 --threads 1 --world-size 2 --timeout 60";
        let options = ["--rdzv-endpoint", &endpoint, "--runs", runs];
        let start =
            |number: &str| workspace.gal_bench(words).args(options).args(["--rank", number]).args(variants).spawn();
        for rank in ["0", "1"].map(start) {
            Finished::wait(rank).succeeded();
        }
    }
    assert!(workspace.run("with", "gal-j").join("diverged.json").exists());
    assert!(outputs(&workspace.run("with", "gal-p")) == outputs(&workspace.run("without", "gal-p")));
}

/// Connects twice to `address`, once to send an endless handshake byte by byte. Returns whether the other side closed the
/// connection first.
fn stranger(address: &str) -> bool {
    let pause = || std::thread::sleep(Duration::from_millis(10));
    let connected = (0..1000).find_map(|_| TcpStream::connect(address).map_err(|_| pause()).ok());
    let mut first = connected.expect("rank 0 listens");
    drop(TcpStream::connect(address));
    let _ = first.write_all(&[b'd', 0, 0, 8, 0, 0, 0, 0, 0]);
    (0..3000).any(|_| {
        pause();
        first.write_all(b" ").is_err()
    })
}

#[test]
fn a_stranger_that_never_stops_sending_blocks_no_rank() {
    let workspace = Workspace::trainable();
    let endpoint = free_address();
    std::thread::scope(|scope| {
        let alone = rank(&workspace, &[("--rank", "0"), ("--rdzv-endpoint", &endpoint), ("--timeout", "2")]);
        let stranger = scope.spawn(|| stranger(&endpoint));
        assert!(error(alone).contains("rank 1 did not connect to"));
        assert!(stranger.join().unwrap());
    });
    std::thread::scope(|scope| {
        let mut first = rank(&workspace, &[("--rank", "0"), ("--rdzv-endpoint", &endpoint)]);
        let stranger = scope.spawn(|| stranger(&endpoint));
        let mut said = lines(&mut first);
        assert!(said.any(|line| line.contains("rejected a connection that is not a gal-bench rank")));
        let second = rank(&workspace, &[("--rank", "1"), ("--rdzv-endpoint", &endpoint), ("--runs", "runs-1")]);
        let said: Vec<String> = said.collect();
        assert!(first.wait().unwrap().success(), "{said:?}");
        assert!(second.wait_with_output().unwrap().status.success());
        assert!(stranger.join().unwrap());
    });
}

#[test]
fn a_rank_killed_before_all_have_connected_may_be_started_again() {
    let workspace = Workspace::trainable();
    let endpoint = free_address();
    let another = |number: &str| {
        let runs = format!("runs-{number}");
        rank(
            &workspace,
            &[("--rank", number), ("--world-size", "4"), ("--rdzv-endpoint", &endpoint), ("--runs", &runs)],
        )
    };
    let mut first = another("0");
    let mut said = lines(&mut first);
    let mut killed = another("1");
    assert!(said.any(|line| line == "rank 1 has connected"));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let others = ["1", "2", "3"].map(another);
    let said: Vec<String> = said.collect();
    assert!(first.wait().unwrap().success(), "{said:?}");
    for child in others {
        Finished::wait(child).succeeded();
    }
}
