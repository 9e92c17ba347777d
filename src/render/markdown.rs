//! The pieces of Markdown that want care: tables and folds.

use std::fmt;

/// A table whose first columns are text and whose others are numbers, aligned to the right.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    text_columns: usize,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table; the first `text_columns` columns are aligned to the left.
    pub(crate) fn new<S: Into<String>>(text_columns: usize, header: impl IntoIterator<Item = S>) -> Self {
        Self { text_columns, header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as the header has.
    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        debug_assert_eq!(cells.len(), self.header.len(), "{cells:?}");
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
            format!("| {} |", cells.join(" | "))
        };
        writeln!(f, "{}", line(&self.header))?;
        let rules: Vec<&str> =
            (0..self.header.len()).map(|i| if i < self.text_columns { "---" } else { "---:" }).collect();
        writeln!(f, "|{}|", rules.join("|"))?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{}", line(row)))
    }
}

/// A cell that stands out.
pub(crate) fn bold(text: impl fmt::Display) -> String {
    format!("**{text}**")
}

/// Text that a reader unfolds; `summary` is plain words.
pub(crate) fn folded(summary: &str, text: &str) -> String {
    format!("<details>\n<summary>{summary}</summary>\n\n{}\n\n</details>\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_aligns_numbers_to_the_right_and_escapes_bars() {
        let mut table = Table::new(1, ["name", "value"]);
        table.row(["a|b", "1.00"]);
        assert_eq!(table.to_string(), "| name | value |\n|---|---:|\n| a\\|b | 1.00 |\n");
    }
}
