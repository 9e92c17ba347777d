//! A job as tasks, as a scheduler runs them: in any order, at the same time, on a set that is not prepared yet.

use crate::common::celeba_files::CelebaFiles;
use crate::common::gal_bench::{Finished, GalBench};
use crate::common::images::{face, jpeg};
use crate::common::training::TINY;
use crate::common::workspace::{Workspace, free_address};
use gal_bench::synthetic::Renderer;
use std::process::{Child, Command};

/// A workspace with a small CelebA and a profile whose variants need two FLNs.
fn celeba() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("tiny.toml", TINY.replace("synthetic", "celeba").replace("weight_decay = 0.001\n", ""));
    let faces = Renderer::new(0).unwrap();
    let mut files = CelebaFiles::new(&workspace.path("celeba"));
    for row in 0..40 {
        files.add(faces.labels(row), [0, 0, 1, 2][row % 4], jpeg(&face(&faces, row), 90));
    }
    files.finish();
    workspace
}

/// `gal-bench` with the options of a job, everything below the folder `into`.
fn gal_bench(workspace: &Workspace, into: &str, words: &str) -> GalBench {
    workspace.gal_bench(&format!(
        "{words} --dataset celeba --profile tiny.toml --seed 3,8 --runs {into}/runs --prepared {into}/prepared \
         --reports {into}/reports"
    ))
}

/// A command that takes the options of a whole job.
fn job(workspace: &Workspace, into: &str, words: &str) -> GalBench {
    gal_bench(workspace, into, words).args(["--root", "celeba", "--device", "cpu"])
}

fn finish(children: Vec<Child>) {
    for child in children {
        Finished::wait(child).succeeded();
    }
}

/// The tasks that `run-all --list-tasks` prints.
fn list(workspace: &Workspace, into: &str) -> serde_json::Value {
    job(workspace, into, "run-all --list-tasks").json()
}

/// Evaluates the runs below `into` after removing durations from their records.
fn report_without_durations(workspace: &Workspace, into: &str) {
    let runs = format!("{into}/runs");
    for (name, text) in workspace.files(&runs).iter().filter(|(name, _)| name.ends_with("summary.json")) {
        let mut summary: serde_json::Value = serde_json::from_slice(text).unwrap();
        assert!(summary["wall_seconds"].take().as_f64().is_some_and(|seconds| seconds > 0.0));
        summary["wall_seconds"] = 1.0.into();
        // Edited records have no digests, like those of earlier versions.
        for key in ["files", "digest"] {
            summary.as_object_mut().unwrap().remove(key);
        }
        workspace.write(&format!("{runs}/{name}"), serde_json::to_vec(&summary).unwrap());
    }
    gal_bench(workspace, into, "evaluate").succeeds();
    workspace.gal_bench(&format!("report --reports {into}/reports")).succeeds();
}

#[test]
fn tasks_in_any_order_and_at_the_same_time_end_in_the_bytes_of_run_all() {
    let workspace = celeba();
    job(&workspace, "whole", "run-all").succeeds();

    // Two start before the set is prepared, the other two after these have ended.
    let start = |task: usize| job(&workspace, "tasks", &format!("run-task {task}")).spawn();
    finish(vec![start(3), start(0)]);
    let listed = list(&workspace, "tasks");
    let done: Vec<_> = listed.as_array().unwrap().iter().map(|task| task["done"].as_array().unwrap().len()).collect();
    assert_eq!(done, [2, 0, 0, 2]);
    finish(vec![start(2), start(1)]);

    let (whole, tasks) = (workspace.files("whole/prepared"), workspace.files("tasks/prepared"));
    assert_eq!(whole.keys().collect::<Vec<_>>(), tasks.keys().collect::<Vec<_>>());
    for (path, bytes) in &whole {
        assert!(tasks[path] == *bytes, "prepared {path} differs");
    }
    let (whole, tasks) = (workspace.files("whole/runs"), workspace.files("tasks/runs"));
    let results = ["model.safetensors", "best.safetensors", "predictions.parquet", "affinity.csv", "masks.npy"];
    let mut compared = 0;
    for (path, bytes) in whole.iter().filter(|(path, _)| results.iter().any(|name| path.ends_with(name))) {
        assert!(tasks[path] == *bytes, "{path} differs");
        compared += 1;
    }
    // Four variants with two seeds; Baseline has no affinity.
    assert_eq!(compared, 8 * results.len() - 2);

    report_without_durations(&workspace, "whole");
    report_without_durations(&workspace, "tasks");
    let (whole, tasks) = (workspace.files("whole/reports"), workspace.files("tasks/reports"));
    assert_eq!(whole.keys().collect::<Vec<_>>(), tasks.keys().collect::<Vec<_>>());
    assert!(whole.contains_key("celeba-tiny-seeds3,8/README.md"));
    for (path, bytes) in &whole {
        assert!(tasks[path] == *bytes, "report {path} differs");
    }
}

#[test]
fn ranks_on_a_shared_folder_prepare_and_train_a_job_together_and_report_once() {
    let workspace = celeba();
    for (into, words) in [("whole", "run-all"), ("task", "run-task 0")] {
        let endpoint = free_address();
        let start = |rank: &str| {
            job(&workspace, into, words)
                .args(["--world-size", "2", "--rank", rank, "--rdzv-endpoint", &endpoint])
                .spawn()
        };
        let [_, second] = [start("0"), start("1")].map(|child| Finished::wait(child).succeeded());
        assert_eq!(second.stdout, "rank 1 is done; rank 0 wrote the runs\n");
        assert!(workspace.exists(&format!("{into}/runs/celeba-tiny-gal-c-seed3/summary.json")));
    }
    let report = workspace.read("whole/reports/celeba-tiny-seeds3,8/README.md");
    assert!(report.contains("over 4 images on each of 2 ranks"));
    let model = |into: &str| workspace.bytes(&format!("{into}/runs/celeba-tiny-gal-c-seed3/model.safetensors"));
    assert!(model("whole") == model("task"));
}

#[test]
fn the_list_names_every_task_and_its_state() {
    let workspace = celeba();
    let listed = list(&workspace, "job");
    let listed = listed.as_array().unwrap();
    let tasks: Vec<_> = listed.iter().map(|task| (&task["task"], &task["variants"], &task["seed"])).collect();
    let (first, second) = (serde_json::json!(["baseline", "gal-c"]), serde_json::json!(["gal-j", "gal-p"]));
    let numbers = [0, 1, 2, 3, 8].map(serde_json::Value::from);
    let [zero, one, two, three, eight] = &numbers;
    assert_eq!(tasks, [(zero, &first, three), (one, &second, three), (two, &first, eight), (three, &second, eight)]);
    assert!(listed.iter().all(|task| task["steps"] == 40 && task["dataset"] == "celeba" && task["resumable"] == false));
    assert!(!workspace.exists("job"), "listing writes nothing");

    job(&workspace, "job", "run-task 1").succeeds();
    insta::assert_snapshot!(job(&workspace, "job", "run-all --list-tasks").succeeds().stdout, @"
    0	celeba	baseline,gal-c	seed 3	40 steps	open
    1	celeba	gal-j,gal-p	seed 3	40 steps	done
    2	celeba	baseline,gal-c	seed 8	40 steps	open
    3	celeba	gal-j,gal-p	seed 8	40 steps	open
    ");
}

#[test]
fn a_task_that_does_not_exist_or_that_another_process_trains_is_refused() {
    let workspace = celeba();
    // By the command's former name.
    job(&workspace, "job", "run-cell 4")
        .fails_with("there is no task 4: `gal-bench run-all --list-tasks` with the same options prints 0 to 3");
    let lock = workspace.write("job/runs/celeba-tiny-gal-j-seed3/.task.lock", "");
    let held = gal_bench::io::Lock::take(&lock).unwrap().unwrap();
    job(&workspace, "job", "run-task 1")
        .fails_with(&format!("task 1 is being trained by process {} on", std::process::id()));
    drop(held);
    job(&workspace, "job", "run-task 1").succeeds();
}

#[test]
fn a_task_whose_runs_all_diverged_has_ended_and_run_all_has_nothing_to_report() {
    let workspace = celeba();
    for seed in [3, 8] {
        let record = serde_json::json!({
            "id": format!("celeba-tiny-gal-j-seed{seed}"), "dataset": "celeba", "profile": "tiny", "variant": "gal-j",
            "seed": seed, "step": 7, "rate": 0.5, "symptom": "the loss is not finite", "commit": "0000000",
        });
        workspace.write(&format!("job/runs/celeba-tiny-gal-j-seed{seed}/diverged.json"), record.to_string());
    }
    let of = |words: &str| job(&workspace, "job", words).args(["--variant", "gal-j"]);
    let task = of("run-task 0").succeeds();
    let message = "every run diverged (job/runs/celeba-tiny-gal-j-seed3): lower the learning rate in the profile, and \
                   start again with --force";
    assert_eq!(task.stdout, format!("task 0 has no results: {message}\n"));
    assert!(task.stderr.contains(&format!("warning: {message}")), "{}", task.stderr);
    of("run-all").fails_with(
        "there is nothing to report: every run diverged (job/runs/celeba-tiny-gal-j-seed3, \
         job/runs/celeba-tiny-gal-j-seed8)",
    );
    assert!(!workspace.exists("job/reports"));
}

/// `flock` is Linux's.
#[cfg(target_os = "linux")]
#[test]
fn a_task_waits_for_the_process_that_prepares_and_continues_when_that_is_killed() {
    let workspace = celeba();
    let prepared = workspace.path("job/prepared");
    std::fs::create_dir_all(&prepared).unwrap();
    // Another process holds the folder until it is killed.
    let mut holder =
        Command::new("flock").arg("--no-fork").arg(prepared.join(".lock")).args(["sleep", "600"]).spawn().unwrap();
    let is_free = || std::fs::File::create(prepared.join(".lock")).unwrap().try_lock().is_ok();
    while is_free() {
        std::thread::yield_now();
    }
    let mut task = job(&workspace, "job", "run-task 1").spawn();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(task.try_wait().unwrap().is_none(), "it did not wait");
    assert!(!prepared.join("inputs.json").exists());
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(Finished::wait(task).succeeded().stderr.contains("waiting for process"));
    assert!(prepared.join("prepared.json").exists());
}
