//! A graph of ONNX operators and its messages: the few fields that a network needs of `onnx.proto3`.

use crate::error::Result;
use crate::io::protobuf::Message;
use candle_core::Tensor;
use std::collections::BTreeMap;

/// Version of the operators: the first with `LayerNormalization`.
const OPSET: u64 = 17;
/// Version of the file format, as ONNX 1.12 writes it with that opset.
const IR: u64 = 8;

/// `TensorProto.DataType`.
const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// Name of the first axis of inputs and outputs, whose size is free.
const BATCH: &str = "batch";

/// An attribute of an operator.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attribute<'a> {
    Int(i64),
    Ints(&'a [i64]),
    Float(f32),
}

/// A constant that is not of the network's tensors.
#[derive(Debug, PartialEq)]
struct Constant {
    kind: u64,
    dims: Vec<usize>,
    bytes: Vec<u8>,
}

/// A graph under construction. Values are referred to by their names.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Message>,
    constants: Vec<Constant>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
}

impl Graph {
    /// Adds an operator with one output; returns the output's name.
    pub(super) fn op(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let [output] = self.op_with(operator, inputs, attributes);
        output
    }

    /// Adds an operator with `N` outputs; returns their names.
    pub(super) fn op_with<const N: usize>(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> [String; N] {
        let name = format!("{operator}_{}", self.nodes.len());
        let outputs = std::array::from_fn(|i| if i == 0 { name.clone() } else { format!("{name}_{i}") });
        self.node(operator, &name, inputs, &outputs, attributes);
        outputs
    }

    fn node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        outputs: &[String],
        attributes: &[(&str, Attribute)],
    ) {
        let mut node = Message::default();
        for input in inputs {
            node.text(1, input);
        }
        for output in outputs {
            node.text(2, output);
        }
        node.text(3, name).text(4, operator);
        for (name, value) in attributes {
            let mut attribute = Message::default();
            attribute.text(1, name);
            match value {
                Attribute::Float(value) => attribute.float(2, *value).number(20, 1),
                Attribute::Int(value) => attribute.number(3, *value as u64).number(20, 2),
                Attribute::Ints(values) => {
                    for value in *values {
                        attribute.number(8, *value as u64);
                    }
                    attribute.number(20, 7)
                }
            };
            node.message(5, &attribute);
        }
        self.nodes.push(node);
    }

    /// A constant list of integers, such as a shape.
    pub(super) fn ints(&mut self, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(Constant { kind: INT64, dims: vec![values.len()], bytes })
    }

    /// A constant integer without axes.
    pub(super) fn int(&mut self, value: i64) -> String {
        self.constant(Constant { kind: INT64, dims: Vec::new(), bytes: value.to_le_bytes().to_vec() })
    }

    /// A constant tensor.
    pub(super) fn floats(&mut self, dims: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(Constant { kind: FLOAT, dims: dims.to_vec(), bytes })
    }

    /// A constant number.
    pub(super) fn float(&mut self, value: f32) -> String {
        self.floats(&[], &[value])
    }

    /// Equal constants are stored once.
    fn constant(&mut self, constant: Constant) -> String {
        let known = self.constants.iter().position(|other| *other == constant);
        let number = known.unwrap_or_else(|| {
            self.constants.push(constant);
            self.constants.len() - 1
        });
        format!("constant_{number}")
    }

    /// Declares an input of shape `[batch, dims]`; returns its name.
    pub(super) fn input(&mut self, name: &str, dims: &[usize], description: &str) -> String {
        self.inputs.push(value_info(name, dims, description));
        name.to_owned()
    }

    /// Declares `value`, of shape `[batch, dims]`, as the output called `name`.
    pub(super) fn output(&mut self, name: &str, value: &str, dims: &[usize], description: &str) {
        self.node("Identity", name, &[value], &[name.to_owned()], &[]);
        self.outputs.push(value_info(name, dims, description));
    }

    /// The bytes of a model with this graph, the weights `tensors` and `properties`.
    pub(super) fn model(
        &self,
        name: &str,
        tensors: &BTreeMap<String, Tensor>,
        properties: &[(String, String)],
    ) -> Result<Vec<u8>> {
        let mut graph = Message::default();
        for node in &self.nodes {
            graph.message(1, node);
        }
        graph.text(2, name);
        for (name, tensor) in tensors {
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            graph.message(5, &tensor_message(name, FLOAT, tensor.dims(), &bytes));
        }
        for (number, Constant { kind, dims, bytes }) in self.constants.iter().enumerate() {
            graph.message(5, &tensor_message(&format!("constant_{number}"), *kind, dims, bytes));
        }
        for input in &self.inputs {
            graph.message(11, input);
        }
        for output in &self.outputs {
            graph.message(12, output);
        }
        let mut opset = Message::default();
        opset.text(1, "").number(2, OPSET);
        let mut model = Message::default();
        model.number(1, IR).text(2, env!("CARGO_PKG_NAME")).text(3, env!("CARGO_PKG_VERSION"));
        model.message(7, &graph).message(8, &opset);
        for (key, value) in properties {
            let mut property = Message::default();
            property.text(1, key).text(2, value);
            model.message(14, &property);
        }
        Ok(model.into_bytes())
    }
}

/// `TensorProto`, with values in little-endian order.
fn tensor_message(name: &str, kind: u64, dims: &[usize], bytes: &[u8]) -> Message {
    let mut tensor = Message::default();
    for size in dims {
        tensor.number(1, *size as u64);
    }
    tensor.number(2, kind).text(8, name).bytes(9, bytes);
    tensor
}

/// `ValueInfoProto` of floats of shape `[batch, dims]`.
fn value_info(name: &str, dims: &[usize], description: &str) -> Message {
    let mut shape = Message::default();
    let mut batch = Message::default();
    shape.message(1, batch.text(2, BATCH));
    for size in dims {
        let mut dim = Message::default();
        shape.message(1, dim.number(1, *size as u64));
    }
    let mut tensor = Message::default();
    tensor.number(1, FLOAT).message(2, &shape);
    let mut kind = Message::default();
    kind.message(1, &tensor);
    let mut value = Message::default();
    value.text(1, name).message(2, &kind).text(3, description);
    value
}
