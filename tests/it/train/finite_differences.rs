//! Gradients of the native CPU operations equal central differences. Along random directions, the change of a weighted sum
//! of an operation's results is the product of gradient and direction.

use candle_core::{Device, Result, Tensor, Var};
use gal_bench::nn::{
    BranchBlock, BranchParameters, BranchStatistics, ConvBlock, ConvParameters, CorrelationBlock,
    CorrelationParameters, Edges, Gated, PlainBlock, Statistics, Tail, batched_linear, convolve,
};
use rand::{RngExt, SeedableRng};

/// Values in [-1, 1), the same in every run.
fn random(seed: u64, shape: &[usize]) -> Tensor {
    let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| 2.0 * random.random::<f32>() - 1.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Compares the gradient of each input of `operation` with central differences. Rounding and the kinks of ReLU and pool
/// cause errors of a few thousandths of the gradient's norm.
fn check(name: &str, shapes: &[&[usize]], operation: impl Fn(&[Tensor]) -> Result<Tensor>) {
    const STEP: f64 = 3e-4;
    let inputs: Vec<Var> =
        shapes.iter().zip(1..).map(|(shape, seed)| Var::from_tensor(&random(seed, shape)).unwrap()).collect();
    let tensors: Vec<Tensor> = inputs.iter().map(|var| var.as_tensor().clone()).collect();
    let y = operation(&tensors).unwrap();
    let weights = random(99, y.dims());
    let loss = |tensors: &[Tensor]| {
        let y = operation(tensors).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let weights = weights.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        y.iter().zip(weights).map(|(y, w)| f64::from(*y) * f64::from(w)).sum::<f64>()
    };
    let gradients = (y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    for (index, input) in inputs.iter().enumerate() {
        let gradient = gradients.get(input).unwrap_or_else(|| panic!("{name}: no gradient of input {index}"));
        let size = gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
        assert!(size > 0.0, "{name}: the gradient of input {index} is zero");
        for seed in 0..3 {
            let direction = random(1000 + seed, input.dims());
            let moved = |step: f64| {
                let mut moved: Vec<Tensor> = tensors.iter().map(Tensor::detach).collect();
                moved[index] = (&moved[index] + (&direction * step).unwrap()).unwrap();
                loss(&moved)
            };
            let found = (gradient * &direction).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
            let expected = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            let error = (f64::from(found) - expected).abs();
            assert!(
                error <= 0.02 * f64::from(size),
                "{name}, input {index}: {found} along a direction, differences give {expected}; norm {size}"
            );
        }
    }
}

#[test]
fn gradients_of_convolution_blocks_are_central_differences() {
    // Kernel, stride, padding, groups, pool, inputs, outputs, batch, height and width. The cases cover im2col and Winograd,
    // strides with a remainder, one image, and maps that are not square.
    let cases = [
        ("3x3", 3, 1, 1, 1, false, 16, 16, 2, 6, 6),
        ("3x3 of one 3x3 map", 3, 1, 1, 1, false, 17, 16, 1, 3, 3),
        ("grouped 5x5 with pool", 5, 1, 2, 2, true, 32, 34, 2, 7, 6),
        ("few channels", 3, 1, 1, 1, false, 3, 4, 2, 5, 7),
        ("stride with remainder", 5, 3, 0, 1, true, 3, 4, 2, 16, 18),
        ("grouped with stride", 3, 2, 1, 2, false, 4, 6, 1, 6, 9),
    ];
    for (name, kernel, stride, padding, groups, pool, inputs, outputs, batch, height, width) in cases {
        let block = ConvBlock { groups, stride, padding, tail: Tail::rectified(pool), eps: 1e-3 };
        let shapes: [&[usize]; 4] =
            [&[inputs, batch, height, width], &[outputs, inputs / groups, kernel, kernel], &[outputs], &[outputs]];
        check(name, &shapes, |t| {
            let bias = Tensor::zeros(outputs, candle_core::DType::F32, &Device::Cpu)?;
            // A scale near zero would put a whole channel on the kink of its ReLU.
            let p = ConvParameters { weight: t[1].clone(), bias, gamma: (&t[2] + 1.5)?, beta: t[3].clone() };
            Ok(block.forward(&t[0], &p, &Statistics::Batch)?.0)
        });
    }
}

#[test]
fn gradients_of_residual_blocks_are_central_differences() {
    // Kernel, stride, tail, shortcut, inputs, outputs, height and width.
    let cases: [(usize, usize, Tail, bool, [usize; 4]); 6] = [
        (3, 1, Tail::Relu, true, [16, 17, 3, 4]),
        (1, 1, Tail::Relu, true, [5, 4, 3, 7]),
        (1, 2, Tail::Linear, false, [5, 4, 6, 7]),
        (1, 1, Tail::Linear, false, [5, 4, 6, 7]),
        (7, 2, Tail::Pool { padding: 1 }, false, [3, 4, 17, 20]),
        (3, 1, Tail::Pool { padding: 1 }, false, [3, 4, 2, 1]),
    ];
    for (kernel, stride, tail, joins, [inputs, outputs, height, width]) in cases {
        let block = ConvBlock { groups: 1, stride, padding: kernel / 2, tail, eps: 1e-3 };
        let (height_out, width_out) = ((height - 1) / stride + 1, (width - 1) / stride + 1);
        let shapes: [&[usize]; 6] = [
            &[inputs, 3, height, width],
            &[outputs, inputs, kernel, kernel],
            &[outputs],
            &[outputs],
            &[outputs, 1, height_out, width_out],
            &[outputs, 3, height_out, width_out],
        ];
        check(&format!("{block:?}"), &shapes[..if joins { 6 } else { 5 }], |t| {
            let gamma = (&t[2] + 1.5)?;
            let p = ConvParameters { weight: t[1].clone(), bias: t[4].clone(), gamma, beta: t[3].clone() };
            Ok(block.forward_joined(&t[0], &p, t.get(5), &Statistics::Batch)?.0)
        });
    }
}

#[test]
fn gradients_of_blocks_without_batch_norm_are_central_differences() {
    // Kernel, stride, padding, pool, inputs, outputs, height and width.
    let cases: [(usize, usize, usize, bool, [usize; 4]); 4] = [
        (11, 4, 2, true, [3, 5, 27, 23]),
        (5, 1, 2, true, [16, 17, 6, 7]),
        (3, 1, 1, false, [16, 16, 5, 6]),
        (3, 2, 1, true, [4, 6, 6, 9]),
    ];
    for (kernel, stride, padding, pool, [inputs, outputs, height, width]) in cases {
        let out = |side: usize| (side + 2 * padding - kernel) / stride + 1;
        for bias in [vec![outputs], vec![outputs, 1, out(height), out(width)]] {
            let shapes: [&[usize]; 3] = [&[inputs, 2, height, width], &[outputs, inputs, kernel, kernel], &bias];
            let block = PlainBlock { stride, padding, pool };
            check(&format!("{block:?}"), &shapes, |t| block.forward(&t[0], &t[1], &t[2]));
        }
    }
}

#[test]
fn gradients_of_a_convolution_by_itself_are_central_differences() {
    for (stride, padding, channels) in [(1, 1, 16), (2, 1, 3), (1, 0, 3)] {
        let shapes: [&[usize]; 2] = [&[channels, 2, 5, 7], &[channels + 1, channels, 3, 3]];
        check("convolve", &shapes, |t| convolve(&t[0], &t[1], stride, padding));
    }
}

#[test]
fn gradients_of_linear_layers_and_correlation_nets_are_central_differences() {
    check("batched linear", &[&[3, 2, 5], &[3, 5, 7], &[3, 2]], |t| batched_linear(&t[0], &t[1], Some(&t[2])));
    let (a, g, c, positions, batch) = (5, 2, 3, 4, 3);
    let shapes: [&[usize]; 5] = [&[a, c, batch * positions], &[a, g, c], &[a, g], &[a, 2, positions * g], &[a, 2]];
    let authors_layout = Some((0..a * g).map(|row| row % g * a + row / g).collect::<Vec<_>>());
    for edges in [Edges::Learned, Edges::Fixed(random(7, &[a, a]))] {
        for rows in [None, authors_layout.clone()] {
            let block = CorrelationBlock { positions, edges: edges.clone(), rows };
            check("correlation net", &shapes, |t| {
                let [weight, bias, out_weight, out_bias] = [1, 2, 3, 4].map(|i| t[i].clone());
                Ok(block.forward(&t[0], &CorrelationParameters { weight, bias, out_weight, out_bias })?.logits)
            });
        }
    }
}

#[test]
fn gradients_of_the_branches_are_central_differences() {
    const HIDDEN: usize = 16;
    for (batch, side) in [(2, 3), (1, 6)] {
        let (a, c, i) = (2, 5, 4);
        let shapes: [&[usize]; 9] = [
            &[i, batch, side, side],
            &[a, c, i],
            &[a, c],
            &[a, c],
            &[a, HIDDEN],
            &[a, HIDDEN],
            &[a, HIDDEN],
            &[a, HIDDEN],
            &[a],
        ];
        let branches = |t: &[Tensor], gated| {
            let zeros = |width| Tensor::zeros((a, width), candle_core::DType::F32, &Device::Cpu);
            let p = BranchParameters {
                weight: t[1].clone(),
                bias: zeros(c)?,
                gamma: t[2].clone(),
                beta: t[3].clone(),
                mask_weight: t[4].clone(),
                mask_bias: zeros(HIDDEN)?,
                mask_gamma: t[5].clone(),
                mask_beta: t[6].clone(),
                mask_out_weight: t[7].clone(),
                mask_out_bias: t[8].clone(),
            };
            BranchBlock { eps: 1e-3, gated }.forward(&t[0], &p, &BranchStatistics::Batch)
        };
        check("branches", &shapes, |t| Ok(branches(t, Gated::Off)?.pooled));
        let tracked = |t: &[Tensor]| branches(t, Gated::Tracked);
        check("gated features", &shapes, |t| Ok(tracked(t)?.gated.unwrap()));
        // Both outputs at once, as in training with one gradient stream.
        check("both", &shapes, |t| {
            let out = tracked(t)?;
            Tensor::cat(&[out.pooled.flatten_all()?, (out.gated.unwrap().flatten_all()? * 0.5)?], 0)
        });
    }
}
