//! Tables for a terminal.

use std::fmt;

/// A table whose columns are as wide as their widest cell: the first `left` columns are flush left, the others flush
/// right.
#[derive(Debug)]
pub struct TextTable {
    left: usize,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    /// An empty table.
    pub fn new(left: usize) -> Self {
        Self { left, rows: Vec::new() }
    }

    /// Appends a row, the header first. Cells that it lacks at its end are empty.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max();
        (0..columns).map(|column| width(column).unwrap_or(0)).collect()
    }
}

impl fmt::Display for TextTable {
    /// One line a row, without spaces at its end.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width - cell.chars().count());
                line += if column == 0 { "" } else { "  " };
                line += &if column < self.left { cell.clone() + &padding } else { padding + cell };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = TextTable::new(1);
        table.row(["attribute", "%", "interval"]);
        table.row(["Bald", "97.60", "97.1 to 98.0"]);
        table.row(["No_Beard", "9.75"]);
        let expected = "attribute      %      interval\nBald       97.60  97.1 to 98.0\nNo_Beard    9.75\n";
        assert_eq!(table.to_string(), expected);
    }
}
