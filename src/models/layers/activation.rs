use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// Pointwise non-linearity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `x * Phi(x)`, the exact form.
    Gelu,
    /// `tanh(x)`.
    Tanh,
    /// `x * sigmoid(x)`, also called swish.
    Silu,
}

impl Activation {
    /// Applies the function to each element.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => activation::relu(x),
            Self::Gelu => activation::gelu(x),
            Self::Tanh => activation::tanh(x),
            Self::Silu => activation::silu(x),
        }
    }

    /// The same function as part of a convolution.
    pub(in crate::models) fn fused(self) -> recoup_kernels::Activation {
        match self {
            Self::Relu => recoup_kernels::Activation::Relu,
            Self::Gelu => recoup_kernels::Activation::Gelu,
            Self::Tanh => recoup_kernels::Activation::Tanh,
            Self::Silu => recoup_kernels::Activation::Silu,
        }
    }
}
