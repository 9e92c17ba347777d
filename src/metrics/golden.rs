//! Values of `tests/golden/correlation.json` for unit tests; `tests/golden/correlation.py` (scipy, numpy) wrote them.

use crate::attribute::COUNT;
use serde_json::Value;

pub(super) fn correlation() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/correlation.json")).unwrap()
}

pub(super) fn square(value: &Value) -> Vec<[f64; COUNT]> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|row| serde_json::from_value::<Vec<f64>>(row.clone()).unwrap().try_into().unwrap())
        .collect()
}

#[track_caller]
pub(super) fn close(found: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}
