//! Each operation of [`crate::nn`] at unusual sizes: groups, strides that leave rows over, single images, small maps.

use super::check::{Check, Named, Side, Tolerances, compare, numbers};
use crate::error::Result;
use crate::model::loss;
use crate::nn::{
    BranchBlock, BranchParameters, BranchStatistics, ConvBlock, ConvParameters, CorrelationBlock,
    CorrelationParameters, Edges, Gated, Moments, MomentumSgd, ParamGroup, Statistics, Tail, batched_linear,
    batched_linear_reference, standardize,
};
use candle_core::{Tensor, Var};

/// A convolution block at one size.
#[derive(Debug, Clone, Copy)]
struct ConvCase {
    name: &'static str,
    batch: usize,
    in_channels: usize,
    out_channels: usize,
    /// Side of the input.
    size: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    groups: usize,
    pool: bool,
}

/// A 3x3 convolution, of which the other cases are variations.
const CONV_3X3: ConvCase = ConvCase {
    name: "convolution 3x3",
    batch: 4,
    in_channels: 16,
    out_channels: 24,
    size: 13,
    kernel: 3,
    stride: 1,
    padding: 1,
    groups: 1,
    pool: false,
};

const CONVOLUTIONS: [ConvCase; 6] = [
    ConvCase {
        name: "convolution 11x11, stride 4 with rows left over, pool",
        batch: 5,
        in_channels: 3,
        out_channels: 7,
        size: 42,
        kernel: 11,
        stride: 4,
        padding: 0,
        pool: true,
        ..CONV_3X3
    },
    ConvCase {
        name: "convolution 11x11, stride 2, one image, pool",
        batch: 1,
        in_channels: 3,
        out_channels: 12,
        size: 38,
        kernel: 11,
        stride: 2,
        padding: 0,
        pool: true,
        ..CONV_3X3
    },
    ConvCase {
        name: "convolution 5x5 in two groups, pool",
        in_channels: 6,
        out_channels: 10,
        kernel: 5,
        padding: 2,
        groups: 2,
        pool: true,
        ..CONV_3X3
    },
    CONV_3X3,
    CONV_3X3_IN_GROUPS,
    ConvCase {
        name: "convolution 3x3 in two groups, 3x3 map, one image",
        batch: 1,
        in_channels: 6,
        out_channels: 4,
        size: 3,
        groups: 2,
        ..CONV_3X3
    },
];

const CONV_3X3_IN_GROUPS: ConvCase = ConvCase {
    name: "convolution 3x3 in two groups, 6x6 map, pool",
    in_channels: 24,
    out_channels: 16,
    size: 6,
    groups: 2,
    pool: true,
    ..CONV_3X3
};

/// Forward and backward results.
type Both = (Named, Named);

pub(super) fn examine(reference: Side, examined: Side, tolerances: Tolerances, note: &mut impl FnMut(Check)) {
    let mut both = |name: &str, run: &dyn Fn(Side) -> Result<Both>| {
        let (expected, found) = (run(reference), run(examined));
        let split = |result: Result<Both>| match result {
            Ok((forward, backward)) => (Ok(forward), Ok(backward)),
            Err(error) => {
                let text = error.to_string();
                (Err(error), Err(crate::Error::Internal(text)))
            }
        };
        let ((expected, expected_back), (found, found_back)) = (split(expected), split(found));
        note(compare(&format!("{name}: forward"), tolerances.forward, expected, found));
        note(compare(&format!("{name}: backward"), tolerances.backward, expected_back, found_back));
    };
    for case in CONVOLUTIONS {
        both(case.name, &|side| convolution(case, side));
    }
    both("branches", &branches);
    both("batched linear", &linear);
    both("correlation net, learned", &|side| correlation(side, false));
    both("correlation net, fixed", &|side| correlation(side, true));
    both("loss", &cross_entropy);
    for (name, run) in [("standardization", pixels as fn(Side) -> Result<Named>), ("momentum", momentum)] {
        note(compare(name, tolerances.forward, run(reference), run(examined)));
    }
    let running = |side| convolution_with_running_statistics(CONV_3X3_IN_GROUPS, side);
    note(compare("convolution with running statistics", tolerances.forward, running(reference), running(examined)));
}

fn variable(name: &str, shape: &[usize], range: (f32, f32), side: Side) -> Result<Var> {
    Ok(Var::from_tensor(&numbers(name, shape, range, side.device)?)?)
}

/// Gradients of `variables` for a random gradient of `y`.
fn gradients(y: &Tensor, variables: &[(&str, &Var)], side: Side) -> Result<Named> {
    let store = (y * numbers("gradient", y.dims(), (0.0, 1.0), side.device)?)?.sum_all()?.backward()?;
    let of = |(name, variable): &(&str, &Var)| {
        let none = || crate::Error::Internal(format!("{name} has no gradient"));
        Ok((format!("gradient of {name}"), store.get(variable).ok_or_else(none)?.clone()))
    };
    variables.iter().map(of).collect()
}

struct Convolution {
    block: ConvBlock,
    x: Var,
    weight: Var,
    gamma: Var,
    beta: Var,
    parameters: ConvParameters,
}

fn set_up(case: ConvCase, side: Side) -> Result<Convolution> {
    let ConvCase { name, batch, in_channels: inputs, out_channels: outputs, size, kernel, .. } = case;
    let ConvCase { stride, padding, groups, pool, .. } = case;
    let of = |part: &str, shape: &[usize], range| variable(&format!("{name} {part}"), shape, range, side);
    let fan_in = inputs / groups * kernel * kernel;
    let x = of("x", &[inputs, batch, size, size], (0.3, 1.7))?;
    let weight = of("weight", &[outputs, inputs / groups, kernel, kernel], (0.0, (3.0 / fan_in as f32).sqrt()))?;
    let (gamma, beta) = (of("gamma", &[outputs], (1.0, 0.3))?, of("beta", &[outputs], (0.0, 0.5))?);
    let bias = of("bias", &[outputs], (0.0, 0.1))?;
    let [w, b, g, s] = [&weight, &bias, &gamma, &beta].map(|variable| variable.as_tensor().clone());
    let parameters = ConvParameters { weight: w, bias: b, gamma: g, beta: s };
    let block = ConvBlock { groups, stride, padding, tail: Tail::rectified(pool), eps: 1e-3 };
    Ok(Convolution { block, x, weight, gamma, beta, parameters })
}

fn convolution(case: ConvCase, side: Side) -> Result<Both> {
    let c = set_up(case, side)?;
    let (y, moments) = run_block(&c, c.x.as_tensor(), &c.parameters, &Statistics::Batch, side)?;
    let moments = moments.ok_or_else(|| crate::Error::Internal("no moments".to_owned()))?;
    let variables = [("the input", &c.x), ("the weights", &c.weight), ("gamma", &c.gamma), ("beta", &c.beta)];
    let back = gradients(&y, &variables, side)?;
    Ok((vec![("output".into(), y), ("mean".into(), moments.mean), ("variance".into(), moments.variance)], back))
}

fn convolution_with_running_statistics(case: ConvCase, side: Side) -> Result<Named> {
    let c = set_up(case, side)?;
    let of = |name: &str, range| numbers(name, &[case.out_channels], range, side.device);
    let statistics =
        Statistics::Running(Moments { mean: of("mean", (0.0, 0.2))?, variance: of("variance", (1.0, 0.5))? });
    let p = &c.parameters;
    let frozen = ConvParameters {
        weight: p.weight.detach(),
        bias: p.bias.detach(),
        gamma: p.gamma.detach(),
        beta: p.beta.detach(),
    };
    Ok(vec![("output".into(), run_block(&c, &c.x.as_detached_tensor(), &frozen, &statistics, side)?.0)])
}

fn run_block(
    c: &Convolution,
    x: &Tensor,
    p: &ConvParameters,
    statistics: &Statistics,
    side: Side,
) -> Result<(Tensor, Option<Moments>)> {
    Ok(match side.backend.precision() {
        None => c.block.forward(x, p, statistics)?,
        Some(precision) => c.block.forward_reference(x, p, None, statistics, precision)?,
    })
}

fn branches(side: Side) -> Result<Both> {
    let (a, c, i, hidden) = (5, 7, 12, 16);
    let of = |name: &str, shape: &[usize], range| variable(&format!("branches {name}"), shape, range, side);
    let x = of("x", &[i, 3, 6, 6], (0.0, 1.7))?;
    let weight = of("weight", &[a, c, i], (0.0, 0.5))?;
    let (gamma, beta) = (of("gamma", &[a, c], (1.0, 0.3))?, of("beta", &[a, c], (0.0, 0.5))?);
    let mask_weight = of("mask weight", &[a, hidden], (0.0, 1.7))?;
    let mask_gamma = of("mask gamma", &[a, hidden], (1.0, 0.3))?;
    let mask_beta = of("mask beta", &[a, hidden], (0.0, 0.5))?;
    let out_weight = of("mask output weight", &[a, hidden], (0.0, 0.4))?;
    let out_bias = of("mask output bias", &[a], (0.0, 0.1))?;
    let p = BranchParameters {
        weight: weight.as_tensor().clone(),
        bias: numbers("branches bias", &[a, c], (0.0, 0.1), side.device)?,
        gamma: gamma.as_tensor().clone(),
        beta: beta.as_tensor().clone(),
        mask_weight: mask_weight.as_tensor().clone(),
        mask_bias: numbers("branches mask bias", &[a, hidden], (0.0, 0.1), side.device)?,
        mask_gamma: mask_gamma.as_tensor().clone(),
        mask_beta: mask_beta.as_tensor().clone(),
        mask_out_weight: out_weight.as_tensor().clone(),
        mask_out_bias: out_bias.as_tensor().clone(),
    };
    let block = BranchBlock { eps: 1e-3, gated: Gated::Detached };
    let out = match side.backend.precision() {
        None => block.forward(x.as_tensor(), &p, &BranchStatistics::Batch)?,
        Some(precision) => block.forward_reference(x.as_tensor(), &p, &BranchStatistics::Batch, precision)?,
    };
    let variables = [
        ("the input", &x),
        ("the weights", &weight),
        ("gamma", &gamma),
        ("beta", &beta),
        ("the mask's weights", &mask_weight),
        ("the mask's gamma", &mask_gamma),
        ("the mask's beta", &mask_beta),
        ("the mask's output weights", &out_weight),
        ("the mask's output bias", &out_bias),
    ];
    let back = gradients(&out.pooled, &variables, side)?;
    let mut forward: Named = vec![("pooled".into(), out.pooled), ("mask".into(), out.mask)];
    forward.extend(out.gated.map(|gated| ("gated".into(), gated)));
    Ok((forward, back))
}

fn linear(side: Side) -> Result<Both> {
    let (w, x) =
        (variable("linear w", &[5, 3, 17], (0.0, 1.0), side)?, variable("linear x", &[5, 17, 9], (0.0, 1.0), side)?);
    let bias = variable("linear bias", &[5, 3], (0.0, 1.0), side)?;
    let y = match side.backend.precision() {
        None => batched_linear(w.as_tensor(), x.as_tensor(), Some(bias.as_tensor()))?,
        Some(precision) => batched_linear_reference(w.as_tensor(), x.as_tensor(), Some(bias.as_tensor()), precision)?,
    };
    let back = gradients(&y, &[("w", &w), ("x", &x), ("the bias", &bias)], side)?;
    Ok((vec![("output".into(), y)], back))
}

fn correlation(side: Side, fixed: bool) -> Result<Both> {
    let (a, g, c, positions, batch) = (11, 2, 5, 7, 3);
    let gated = variable("gated", &[a, c, batch * positions], (0.0, 0.5), side)?;
    let weight = variable("node weights", &[a, g, c], (0.0, 0.5), side)?;
    let bias = variable("node biases", &[a, g], (0.0, 0.5), side)?;
    let out_weight = variable("classifier weights", &[a, 2, positions * g], (0.0, 0.5), side)?;
    let out_bias = variable("classifier biases", &[a, 2], (0.0, 0.5), side)?;
    let edges = if fixed { Edges::Fixed(numbers("edges", &[a, a], (0.1, 0.1), side.device)?) } else { Edges::Learned };
    let block = CorrelationBlock { positions, edges, rows: None };
    let tensor = |variable: &Var| variable.as_tensor().clone();
    let p = CorrelationParameters {
        weight: tensor(&weight),
        bias: tensor(&bias),
        out_weight: tensor(&out_weight),
        out_bias: tensor(&out_bias),
    };
    let output = match side.backend.precision() {
        None => block.forward(gated.as_tensor(), &p)?,
        Some(precision) => block.forward_reference(gated.as_tensor(), &p, precision)?,
    };
    let variables = [
        ("the features", &gated),
        ("the node weights", &weight),
        ("the node biases", &bias),
        ("the classifier weights", &out_weight),
        ("the classifier biases", &out_bias),
    ];
    let back = gradients(&output.logits, &variables, side)?;
    let affinity = output.affinity.map(|affinity| ("affinity".to_owned(), affinity));
    Ok(([("logits".to_owned(), output.logits)].into_iter().chain(affinity).collect(), back))
}

fn cross_entropy(side: Side) -> Result<Both> {
    let logits = variable("logits", &[40, 2, 5], (0.0, 3.0), side)?;
    let yes = numbers("labels", &[40, 5], (0.0, 1.0), side.device)?.ge(0.0)?.to_dtype(candle_core::DType::F32)?;
    let targets = Tensor::stack(&[&(1.0 - &yes)?, &yes], 1)?;
    let value = loss(logits.as_tensor(), &targets)?;
    let back = gradients(&value, &[("the logits", &logits)], side)?;
    Ok((vec![("loss".into(), value)], back))
}

fn pixels(side: Side) -> Result<Named> {
    let x = numbers("pixels", &[3, 4, 21, 21], (127.0, 127.0), side.device)?;
    Ok(vec![("standardized".into(), standardize(&x, &Statistics::Batch, 1e-3)?.0)])
}

/// Three steps with weight decay.
fn momentum(side: Side) -> Result<Named> {
    let w = variable("momentum", &[50, 70], (0.0, 1.0), side)?;
    let group = ParamGroup { variables: vec![("w".to_owned(), w.clone())], lr_scale: 2.0, weight_decay: 0.01 };
    let mut optimizer = MomentumSgd::new(vec![group], 0.9)?;
    for _ in 0..3 {
        let gradients = w.as_tensor().sqr()?.sum_all()?.backward()?;
        optimizer.step(&gradients, 0.1)?;
    }
    Ok(vec![("w".into(), w.as_detached_tensor())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Compute;
    use crate::model::Backend;
    use crate::nn::Precision;
    use candle_core::Device;

    #[test]
    fn every_operation_agrees_on_the_cpus_two_backends() {
        let side = |backend| Side { device: &Device::Cpu, backend };
        let mut count = 0;
        examine(
            side(Backend::Native),
            side(Backend::Reference),
            Tolerances::new(Compute::default(), 1.0),
            &mut |check: Check| {
                assert!(check.agrees, "{}", check.line());
                count += 1;
            },
        );
        assert_eq!(count, 2 * (CONVOLUTIONS.len() + 5) + 3);
    }

    #[test]
    fn a_wrong_operation_is_found() {
        let side = Side { device: &Device::Cpu, backend: Backend::Reference };
        let case = CONV_3X3;
        // Another epsilon in batch norm.
        let (expected, found) = (convolution(case, side).unwrap(), {
            let mut c = set_up(case, side).unwrap();
            c.block.eps = 0.1;
            let (y, _) = c
                .block
                .forward_reference(c.x.as_tensor(), &c.parameters, None, &Statistics::Batch, Precision::Single)
                .unwrap();
            let variables = [("the input", &c.x), ("the weights", &c.weight), ("gamma", &c.gamma), ("beta", &c.beta)];
            (vec![("output".to_owned(), y.clone())], gradients(&y, &variables, side).unwrap())
        });
        let output = expected.0.into_iter().take(1).collect();
        assert!(!compare("forward", 1e-4, Ok(output), Ok(found.0)).agrees);
        assert!(!compare("backward", 2e-3, Ok(expected.1), Ok(found.1)).agrees);
    }
}
