//! Progress for a person: a bar with rate and time left on a terminal, a plain line now and then elsewhere, nothing
//! when asked to be quiet. All of it goes to standard error, so that standard output stays for results.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a plain line is printed where there is no terminal.
const PLAIN_INTERVAL: Duration = Duration::from_secs(15);

/// How a command speaks while it works.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    quiet: bool,
}

impl Progress {
    /// Speaks unless `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// One line of news.
    pub fn say(&self, line: impl AsRef<str>) {
        if !self.quiet {
            // Work goes on where nobody reads the news any more.
            let _ = writeln!(std::io::stderr(), "{}", line.as_ref());
        }
    }

    /// A bar over `length` items called `unit`, headed by `title`.
    pub fn bar(&self, title: &str, unit: &'static str, length: usize) -> Bar {
        let terminal = std::io::stderr().is_terminal();
        let drawn = if terminal && !self.quiet { ProgressBar::new(length as u64) } else { ProgressBar::hidden() };
        let style = format!("{{prefix}} [{{bar:28}}] {{pos}}/{{len}} {unit} {{per_sec}} {{eta}} left {{msg}}");
        drawn.set_style(ProgressStyle::with_template(&style).expect("a valid template").progress_chars("=> "));
        drawn.set_prefix(title.to_owned());
        let now = Instant::now();
        Bar {
            drawn,
            title: title.to_owned(),
            unit,
            length,
            plain: (!terminal && !self.quiet).then_some(*self),
            state: Mutex::new(State { done: 0, started: now, spoken: now, message: String::new() }),
        }
    }
}

/// Progress of one piece of work; may be advanced from any thread.
#[derive(Debug)]
pub struct Bar {
    drawn: ProgressBar,
    title: String,
    unit: &'static str,
    length: usize,
    plain: Option<Progress>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    done: usize,
    started: Instant,
    spoken: Instant,
    message: String,
}

impl Bar {
    /// `count` more items are done.
    pub fn advance(&self, count: usize) {
        self.drawn.inc(count as u64);
        let Some(progress) = self.plain else { return };
        let Ok(mut state) = self.state.lock() else { return };
        state.done += count;
        if state.spoken.elapsed() >= PLAIN_INTERVAL {
            state.spoken = Instant::now();
            let rate = state.done as f64 / state.started.elapsed().as_secs_f64();
            let left = (self.length.saturating_sub(state.done)) as f64 / rate;
            progress.say(format!(
                "{}: {}/{} {} ({rate:.1}/s, {left:.0} s left) {}",
                self.title, state.done, self.length, self.unit, state.message
            ));
        }
    }

    /// What to show beside the count, such as the present loss.
    pub fn message(&self, text: String) {
        if self.plain.is_none() {
            self.drawn.set_message(text);
        } else if let Ok(mut state) = self.state.lock() {
            state.message = text;
        }
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.drawn.finish_and_clear();
    }
}
