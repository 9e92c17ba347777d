//! The binary, run as a user runs it.

use assert_cmd::cargo::cargo_bin;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A call of the binary.
pub(crate) struct GalBench {
    command: Command,
}

impl GalBench {
    /// The binary in `folder`; `words` are its first arguments, separated by blanks.
    pub(crate) fn new(folder: &Path, words: &str) -> Self {
        Self::of(Command::new(cargo_bin!("gal-bench")), folder, words)
    }

    /// The same in a shell that limits its resources first, such as `ulimit -f 1`.
    pub(crate) fn limited(folder: &Path, limit: &str, words: &str) -> Self {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")]).arg(cargo_bin!("gal-bench"));
        Self::of(shell, folder, words)
    }

    fn of(mut command: Command, folder: &Path, words: &str) -> Self {
        command.current_dir(folder).args(words.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command }
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn envs(mut self, variables: &[(&str, &str)]) -> Self {
        self.command.envs(variables.iter().copied());
        self
    }

    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    pub(crate) fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.command.stderr(stderr);
        self
    }

    /// Starts the process, whose standard output and standard error are pipes.
    pub(crate) fn spawn(mut self) -> Child {
        self.command.spawn().unwrap()
    }

    pub(crate) fn finishes(mut self) -> Finished {
        Finished::of(self.command.output().unwrap())
    }

    pub(crate) fn succeeds(self) -> Finished {
        self.finishes().succeeded()
    }

    /// The error message, which contains `words`; see [`Finished::error`].
    pub(crate) fn fails_with(self, words: &str) -> String {
        let error = self.finishes().error();
        assert!(error.contains(words), "`{words}` is not in: {error}");
        error
    }

    /// The result of `--json`.
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.args(["--json"]).succeeds().stdout).unwrap()
    }
}

/// A process that ended.
pub(crate) struct Finished {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    fn of(output: Output) -> Self {
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Self { code: output.status.code(), stdout, stderr }
    }

    /// Waits until `child` ends.
    pub(crate) fn wait(child: Child) -> Self {
        Self::of(child.wait_with_output().unwrap())
    }

    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// The one sentence on bad input: the last line of standard error, with exit code 2 and no result.
    pub(crate) fn error(self) -> String {
        assert_eq!((self.code, &*self.stdout), (Some(2), ""), "{}", self.stderr);
        let errors: Vec<&str> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{}", self.stderr);
        assert!(self.stderr.trim_end().ends_with(errors[0]), "the error is not the last line: {}", self.stderr);
        errors[0].to_owned()
    }
}

/// The names of all commands, as the help lists them.
pub(crate) fn commands() -> BTreeSet<String> {
    let help = GalBench::new(Path::new("."), "--help").succeeds().stdout;
    let listed = help.lines().skip_while(|line| !line.starts_with("Usage:")).take_while(|line| *line != "Options:");
    listed.filter_map(|line| Some(line.strip_prefix("  ")?.split(' ').next()?.to_owned())).collect()
}

/// The message of an error on bad input: one line, with exit code 2.
pub(crate) fn user_error<T>(result: gal_bench::Result<T>) -> String {
    let error = result.err().expect("an error");
    assert_eq!(error.exit_code(), 2, "{error}");
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}
