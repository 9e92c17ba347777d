//! The claim about every reader of line-based files, for any bytes.

/// Checks that there is at most one row per line, and that an error names an existing line. Lines end with LF, CRLF or,
/// in tables, CR alone.
pub fn check(input: &[u8], result: gal_bench::Result<usize>) {
    let ends = input.iter().zip(input.iter().skip(1).chain(&[0]));
    let lines = ends.filter(|(byte, next)| **byte == b'\n' || (**byte == b'\r' && **next != b'\n')).count() + 1;
    match result {
        Ok(rows) => assert!(rows <= lines, "{rows} rows on {lines} lines"),
        Err(gal_bench::Error::Line { line, .. }) => assert!((1..=lines).contains(&line), "line {line} of {lines}"),
        Err(gal_bench::Error::File { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}
