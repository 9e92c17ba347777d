//! Progress on standard error: a bar with rate and time left on a terminal, otherwise a line every 15 seconds. Standard
//! output is left to results.

use crate::untrusted::terminal;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Time between two lines without a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(15);

/// The progress output of a command.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    quiet: bool,
}

impl Progress {
    /// Writes progress unless `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Writes one line.
    pub fn log(&self, line: impl AsRef<str>) {
        if !self.quiet {
            // A closed standard error does not stop the work.
            let _ = writeln!(std::io::stderr(), "{}", terminal(line.as_ref()));
        }
    }

    /// A bar over `length` items of `unit`, with a title.
    pub fn bar(&self, title: &str, unit: &'static str, length: usize) -> Bar {
        let on_terminal = std::io::stderr().is_terminal();
        let drawn = if on_terminal && !self.quiet { ProgressBar::new(length as u64) } else { ProgressBar::hidden() };
        let style = format!("{{prefix}} [{{bar:28}}] {{pos}}/{{len}} {unit} {{per_sec}} {{eta}} left {{msg}}");
        drawn.set_style(ProgressStyle::with_template(&style).expect("a valid template").progress_chars("=> "));
        drawn.set_prefix(terminal(title).into_owned());
        let now = Instant::now();
        Bar {
            drawn,
            title: title.to_owned(),
            unit,
            length,
            lines: (!on_terminal && !self.quiet).then_some(*self),
            state: Mutex::new(State { done: 0, started: now, last_line: now, message: String::new() }),
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
    /// Writes lines in place of the bar.
    lines: Option<Progress>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    done: usize,
    started: Instant,
    last_line: Instant,
    message: String,
}

impl Bar {
    /// Adds `count` finished items.
    pub fn advance(&self, count: usize) {
        self.drawn.inc(count as u64);
        let Some(progress) = self.lines else { return };
        let Ok(mut state) = self.state.lock() else { return };
        state.done += count;
        if state.last_line.elapsed() >= LINE_INTERVAL {
            state.last_line = Instant::now();
            let rate = state.done as f64 / state.started.elapsed().as_secs_f64();
            let left = (self.length.saturating_sub(state.done)) as f64 / rate;
            progress.log(format!(
                "{}: {}/{} {} ({rate:.1}/s, {left:.0} s left) {}",
                self.title, state.done, self.length, self.unit, state.message
            ));
        }
    }

    /// Sets the text beside the count, such as the current loss.
    pub fn set_message(&self, text: String) {
        if self.lines.is_none() {
            self.drawn.set_message(terminal(&text).into_owned());
        } else if let Ok(mut state) = self.state.lock() {
            state.message = text;
        }
    }

    /// Removes the bar from the screen.
    pub fn finish(&self) {
        self.drawn.finish_and_clear();
    }
}
