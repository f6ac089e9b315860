//! The parameters of R replicas as one matrix, and the layout that names its columns.
//!
//! All replicas of a group share one [`Layout`]: a list of named parameters with the shape they have in **one**
//! replica. Row `r` of the `[R, P]` weight matrix holds everything replica `r` has learned. So the optimiser,
//! clipping, freezing, best weights and checkpoints are each one operation on one matrix, and taking a replica out
//! of a group is taking a row. For the forward pass the matrix is cut into one tensor per parameter, outside the
//! tape, so that gradients come back one per parameter without touching the rest of the matrix.

use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use recoup_kernels::random::{self, Key, Purpose};

/// How a parameter gets its first value. Draws are keyed by (seed of the replica, path of the parameter), so they
/// depend neither on the other parameters nor on the other replicas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in `[-bound, bound)`; PyTorch's default for linear, convolution (`1/sqrt(fan_in)`) and LSTM
    /// (`1/sqrt(hidden_size)`) layers.
    Uniform {
        /// Half the width of the interval.
        bound: f32,
    },
    /// The same constant everywhere.
    Constant(f32),
}

/// One named parameter of one replica.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// Dotted path, e.g. `force.block0.conv.weight`: stable, part of every random key and of the checkpoint.
    pub path: String,
    /// Shape in one replica, without the replica axis.
    pub shape: Vec<usize>,
    /// First value.
    pub init: Init,
}

impl ParamSpec {
    /// Number of scalars in one replica.
    pub fn len(&self) -> usize {
        // A model that is too large for any machine is refused by its estimate, which must not wrap to a small one.
        self.shape.iter().fold(1, |product, &size| product.saturating_mul(size))
    }

    /// Whether the parameter holds no scalar.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Index of a parameter in its [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamId(usize);

/// Index of a buffer (state that is not learned by gradient: running statistics) in its [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferId(usize);

/// Names and shapes of everything one replica holds. Built once, by the model's constructor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    params: Vec<ParamSpec>,
    buffers: Vec<ParamSpec>,
}

impl Layout {
    /// The learned parameters, in the order of their columns.
    pub fn params(&self) -> &[ParamSpec] {
        &self.params
    }

    /// The buffers, in the order of their columns.
    pub fn buffers(&self) -> &[ParamSpec] {
        &self.buffers
    }

    /// P: learned scalars in one replica.
    pub fn num_params(&self) -> usize {
        let lens = self.params.iter().map(ParamSpec::len);
        lens.fold(0, usize::saturating_add)
    }

    /// Q: buffered scalars in one replica.
    pub fn num_buffers(&self) -> usize {
        self.buffers.iter().map(ParamSpec::len).sum()
    }

    /// First weights of the replicas with these seeds: `[R * P]`, row by row.
    pub fn init_params(&self, seeds: &[u64]) -> Vec<f32> {
        init(&self.params, seeds)
    }

    /// First buffers of the replicas with these seeds: `[R * Q]`, row by row.
    pub fn init_buffers(&self, seeds: &[u64]) -> Vec<f32> {
        init(&self.buffers, seeds)
    }
}

fn init(specs: &[ParamSpec], seeds: &[u64]) -> Vec<f32> {
    let width: usize = specs.iter().map(ParamSpec::len).sum();
    let mut rows = Vec::with_capacity(width * seeds.len());
    for &seed in seeds {
        for spec in specs {
            let start = rows.len();
            rows.resize(start + spec.len(), 0.0);
            match spec.init {
                Init::Constant(value) => rows[start..].fill(value),
                Init::Uniform { bound } => {
                    let key = Key {
                        seed,
                        purpose: Purpose::Initialisation,
                        step: 0,
                        path: random::path_hash(&spec.path),
                    };
                    random::fill_uniform(key, &mut rows[start..]);
                    for value in &mut rows[start..] {
                        *value = (2.0 * *value - 1.0) * bound;
                    }
                }
            }
        }
    }
    rows
}

/// Collects the parameters of a model under construction; [`scope`](Self::scope) nests paths.
#[derive(Debug, Default)]
pub struct LayoutBuilder {
    layout: Layout,
    prefix: String,
}

impl LayoutBuilder {
    /// An empty layout.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `build` with `name.` in front of every path that it adds.
    pub fn scope<T>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.prefix.clone();
        self.prefix = format!("{outer}{name}.");
        let built = build(self);
        self.prefix = outer;
        built
    }

    /// The full path of `name` in the present scope.
    pub fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Adds a learned parameter.
    pub fn param(&mut self, name: &str, shape: &[usize], init: Init) -> ParamId {
        let spec = self.spec(name, shape, init);
        debug_assert!(self.layout.params.iter().all(|p| p.path != spec.path));
        self.layout.params.push(spec);
        ParamId(self.layout.params.len() - 1)
    }

    /// Adds a buffer.
    pub fn buffer(&mut self, name: &str, shape: &[usize], init: Init) -> BufferId {
        let spec = self.spec(name, shape, init);
        self.layout.buffers.push(spec);
        BufferId(self.layout.buffers.len() - 1)
    }

    /// The finished layout.
    pub fn finish(self) -> Layout {
        self.layout
    }

    fn spec(&self, name: &str, shape: &[usize], init: Init) -> ParamSpec {
        ParamSpec {
            path: self.path(name),
            shape: shape.to_vec(),
            init,
        }
    }
}

/// The parameters and buffers of R replicas, cut from their matrices for one forward pass.
#[derive(Clone, Debug)]
pub struct Params {
    num_replicas: usize,
    shapes: Vec<Vec<usize>>,
    tensors: Vec<Tensor<2>>,
    buffers: Vec<Tensor<2>>,
    dtype: Option<DType>,
}

impl Params {
    /// Cuts `weights` `[R, P]` and `buffers` `[R, Q]`. `tracked` puts the parameters on the tape as leaves.
    /// `dtype` casts each parameter where it is used (bf16 arithmetic over f32 weights).
    pub fn cut(layout: &Layout, weights: &Tensor<2>, buffers: &Tensor<2>, tracked: bool, dtype: Option<DType>) -> Self {
        let [num_replicas, _] = weights.dims();
        let columns = |specs: &[ParamSpec], matrix: &Tensor<2>| {
            let mut start = 0;
            specs
                .iter()
                .map(|spec| {
                    let part = matrix.clone().narrow(1, start, spec.len());
                    start += spec.len();
                    part
                })
                .collect::<Vec<_>>()
        };
        let leaves = columns(&layout.params, weights)
            .into_iter()
            .map(|leaf| if tracked { leaf.autodiff().require_grad() } else { leaf })
            .collect();
        let on_tape = |buffer: Tensor<2>| if tracked { buffer.autodiff() } else { buffer };
        Self {
            num_replicas,
            shapes: layout.params.iter().map(|spec| spec.shape.clone()).collect(),
            tensors: leaves,
            buffers: columns(&layout.buffers, buffers).into_iter().map(on_tape).collect(),
            dtype,
        }
    }

    /// R.
    pub fn num_replicas(&self) -> usize {
        self.num_replicas
    }

    /// The dtype of the arithmetic, if it is not that of the weights.
    pub fn dtype(&self) -> Option<DType> {
        self.dtype
    }

    /// A parameter as `[R, shape..]`; `D` is one more than the rank it was declared with.
    pub fn get<const D: usize>(&self, id: ParamId) -> Tensor<D> {
        let mut shape = [self.num_replicas; D];
        shape[1..].copy_from_slice(&self.shapes[id.0]);
        let tensor = self.tensors[id.0].clone().reshape(shape);
        match self.dtype {
            Some(dtype) => tensor.cast(dtype),
            None => tensor,
        }
    }

    /// A buffer as `[R, len]`.
    pub fn buffer(&self, id: BufferId) -> Tensor<2> {
        self.buffers[id.0].clone()
    }

    /// Puts `values` in the place of the buffer.
    pub(crate) fn buffers_with(&self, updates: &[(BufferId, Tensor<2>)]) -> Option<Tensor<2>> {
        if self.buffers.is_empty() {
            return None;
        }
        let mut buffers: Vec<_> = self.buffers.iter().map(|b| b.clone().without_autodiff()).collect();
        for (id, value) in updates {
            buffers[id.0] = value.clone().without_autodiff();
        }
        Some(Tensor::cat(buffers, 1))
    }

    /// The gradient matrix `[R, P]`, off the tape; zero where a parameter took no part in the loss.
    pub fn gradients(&self, gradients: &mut Gradients) -> Tensor<2> {
        let parts = self
            .tensors
            .iter()
            .map(|leaf| {
                leaf.grad_remove(gradients)
                    .unwrap_or_else(|| Tensor::zeros(leaf.dims(), &leaf.device().without_autodiff()))
            })
            .collect();
        Tensor::cat(parts, 1)
    }
}

/// A `[rows, columns]` matrix on `device`.
pub fn matrix(values: Vec<f32>, rows: usize, device: &Device) -> Tensor<2> {
    let columns = values.len().checked_div(rows).unwrap_or(0);
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}
