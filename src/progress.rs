//! Messages and progress on standard error: a bar with rate and time left on a terminal, otherwise a line every 15 seconds.
//! Standard output is left to results. Colors follow `NO_COLOR`, `CLICOLOR` and the terminal.

use crate::untrusted::terminal;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// Time between two lines without a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(15);

/// The bars on the screen: a line is written above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

const YELLOW: &str = "\u{1b}[1;33m";
const RED: &str = "\u{1b}[1;31m";
const RESET: &str = "\u{1b}[0m";

/// Writes a line after a colored prefix.
fn write_line(color: &str, prefix: &str, line: &str) {
    let reset = if color.is_empty() { "" } else { RESET };
    // A closed standard error does not stop the work.
    let _ = BARS.suspend(|| writeln!(anstream::stderr(), "{color}{prefix}{reset}{}", terminal(line)));
}

/// Writes an error, whatever the verbosity.
pub fn write_error(error: &str) {
    write_line(RED, "error: ", error);
}

/// The progress output of a command.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    quiet: bool,
    verbose: bool,
}

impl Progress {
    /// Writes progress unless `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self { quiet, verbose: false }
    }

    /// The same, with details if `verbose`.
    pub fn verbose(self, verbose: bool) -> Self {
        Self { verbose, ..self }
    }

    /// Writes one line.
    pub fn log(&self, line: impl AsRef<str>) {
        if !self.quiet {
            write_line("", "", line.as_ref());
        }
    }

    /// Writes one line about something to act on.
    pub fn warn(&self, line: impl AsRef<str>) {
        if !self.quiet {
            write_line(YELLOW, "warning: ", line.as_ref());
        }
    }

    /// Writes one line if details are wanted.
    pub fn detail(&self, line: impl AsRef<str>) {
        if self.verbose {
            self.log(line);
        }
    }

    /// A bar over `length` items of `unit`, a plural with s; the title is a phase, such as `Decoding images`.
    pub fn bar(&self, title: &str, unit: &'static str, length: usize) -> Bar {
        let on_terminal = std::io::stderr().is_terminal();
        let drawn =
            if on_terminal && !self.quiet { BARS.add(ProgressBar::new(length as u64)) } else { ProgressBar::hidden() };
        let style = format!("{{prefix}} [{{bar:20}}] {{pos}}/{{len}} {unit} {{per_sec}} {{eta}} left {{wide_msg}}");
        drawn.set_style(ProgressStyle::with_template(&style).expect("a valid template").progress_chars("=> "));
        drawn.set_prefix(terminal(title).into_owned());
        let now = Instant::now();
        Bar {
            drawn,
            title: title.to_owned(),
            unit,
            length,
            progress: *self,
            on_terminal,
            started: now,
            first: 0,
            state: Mutex::new(State { last_line: now, message: String::new() }),
        }
    }
}

/// Progress of one task; any thread may advance it.
#[derive(Debug)]
pub struct Bar {
    drawn: ProgressBar,
    title: String,
    unit: &'static str,
    length: usize,
    progress: Progress,
    /// Without a terminal, lines take the place of the bar.
    on_terminal: bool,
    started: Instant,
    /// Items that an earlier process finished.
    first: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last_line: Instant,
    message: String,
}

impl Bar {
    /// Starts after `first` items that an earlier process finished.
    pub fn resume(&mut self, first: usize) {
        self.first = first as u64;
        self.drawn.set_position(self.first);
        self.drawn.reset_eta();
    }

    /// Adds `count` finished items.
    pub fn advance(&self, count: usize) {
        self.drawn.inc(count as u64);
        if self.on_terminal {
            return;
        }
        let Ok(mut state) = self.state.lock() else { return };
        if state.last_line.elapsed() >= LINE_INTERVAL {
            state.last_line = Instant::now();
            let done = self.drawn.position();
            let rate = (done - self.first) as f64 / self.started.elapsed().as_secs_f64();
            let left = (self.length as u64).saturating_sub(done) as f64 / rate;
            let line = format!(
                "{}: {done}/{} {} ({rate:.1}/s, {left:.0} s left) {}",
                self.title, self.length, self.unit, state.message
            );
            self.progress.log(line.trim_end());
        }
    }

    /// Sets the text beside the count, such as the current loss.
    pub fn set_message(&self, text: String) {
        if self.on_terminal {
            self.drawn.set_message(terminal(&text).into_owned());
        } else if let Ok(mut state) = self.state.lock() {
            state.message = text;
        }
    }

    /// Removes the bar from the screen, and writes the phase with its total and its time.
    pub fn finish(&self) {
        self.drawn.finish_and_clear();
        BARS.remove(&self.drawn);
        if self.length > 0 {
            let (done, seconds) = (self.drawn.position() - self.first, self.started.elapsed().as_secs_f64());
            let of = if done == self.length as u64 { String::new() } else { format!(" of {}", self.length) };
            let unit = if self.length == 1 { self.unit.trim_end_matches('s') } else { self.unit };
            self.progress.log(format!("{}: {done}{of} {unit}, {seconds:.1} s", self.title));
        }
    }
}
