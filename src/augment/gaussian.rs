//! The bell of a Gaussian distortion: the standard deviation of each node's displacement.

use super::operation::{Corner, Method, Operation};

impl Operation {
    /// The standard deviations of a Gaussian distortion at each inner node by row, in 1/250 of the image's sides.
    pub(super) fn deviations(&self) -> Vec<f64> {
        let Self::GaussianDistortion { grid_width, grid_height, magnitude, corner, method, mex, mey, sdx, sdy, .. } =
            *self
        else {
            return Vec::new();
        };
        // The bell is a product of a function of x and one of y, and so are its minimum and maximum.
        let across = |x: f64| libm::exp(-(x - mex) * (x - mex) / sdx);
        let down = |y: f64| libm::exp(-(y - mey) * (y - mey) / sdy);
        let bounds = |side: &dyn Fn(f64) -> f64| {
            // Augmentor evaluates 50 points.
            let values = (0..50).map(|point| side(f64::from(point) / 49.0));
            values.fold((f64::INFINITY, 0.0_f64), |(min, max), value| (min.min(value), max.max(value)))
        };
        let (x, y) = (bounds(&across), bounds(&down));
        let (min, max) = (x.0 * y.0, x.1 * y.1);
        let deviation = |(x, y): (f64, f64)| {
            let (x, y) = match corner {
                Corner::Bell => (x, y),
                Corner::Ul => (x.midpoint(1.0), y.midpoint(1.0)),
                Corner::Ur => (x / 2.0, y.midpoint(1.0)),
                Corner::Dl => (x.midpoint(1.0), y / 2.0),
                Corner::Dr => (x / 2.0, y / 2.0),
            };
            let bell = across(x) * down(y);
            let height = match method {
                Method::In => bell - min,
                Method::Out => max - bell,
            };
            (height / (max - min)).max(0.01) * f64::from(magnitude)
        };
        let node = |index: u32, cells: u32| f64::from(index) / f64::from(cells);
        let row = |y: u32| (1..grid_width).map(move |x| (node(x, grid_width), node(y, grid_height)));
        (1..grid_height).flat_map(row).map(deviation).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arguments of Augmentor's normal distribution, recorded by `tests/golden/augment.py`.
    #[test]
    fn deviations_equal_augmentors() {
        #[derive(serde::Deserialize)]
        struct Golden {
            operation: String,
            deviations: Vec<f64>,
        }
        let golden: Vec<Golden> =
            serde_json::from_str(include_str!("../../tests/golden/augment/deviations.json")).unwrap();
        assert_eq!(golden.len(), 10);
        for Golden { operation, deviations } in golden {
            let ours = toml::from_str::<Operation>(&operation).unwrap().deviations();
            assert_eq!(ours.len(), deviations.len());
            assert!(ours.iter().zip(&deviations).all(|(a, b)| (a - b).abs() < 1e-9), "{operation}: {ours:?}");
        }
    }
}
