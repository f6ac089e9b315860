//! Activations fused behind a convolution.

/// A function applied to each value of a convolution before it is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(z, 0)`.
    Relu,
    /// `z Phi(z)`, the exact form.
    Gelu,
    /// `z sigmoid(z)`, also called swish.
    Silu,
    /// `tanh(z)`.
    Tanh,
}

impl Activation {
    /// Whether the slope is a function of the output, so that training need not keep the input of the activation.
    pub(super) fn slope_from_output(self) -> bool {
        matches!(self, Self::None | Self::Relu | Self::Tanh)
    }

    /// The activation of one value.
    #[cfg(feature = "cpu")]
    pub(super) fn of(self, z: f32) -> f32 {
        match self {
            Self::None => z,
            // NaN stays NaN.
            Self::Relu => {
                if z < 0.0 {
                    0.0
                } else {
                    z
                }
            }
            Self::Gelu => z * normal_cdf(z),
            Self::Silu => z / (1.0 + (-z).exp()),
            Self::Tanh => z.tanh(),
        }
    }

    /// The derivative, from the output where [`slope_from_output`](Self::slope_from_output), else from the input.
    #[cfg(feature = "cpu")]
    pub(super) fn slope(self, saved: f32) -> f32 {
        match self {
            Self::None => 1.0,
            Self::Relu => {
                if saved > 0.0 {
                    1.0
                } else {
                    0.0
                }
            }
            Self::Gelu => {
                let density = (-0.5 * saved * saved).exp() * 0.398_942_3;
                normal_cdf(saved) + saved * density
            }
            Self::Silu => {
                let sigmoid = 1.0 / (1.0 + (-saved).exp());
                sigmoid * (1.0 + saved * (1.0 - sigmoid))
            }
            Self::Tanh => 1.0 - saved * saved,
        }
    }
}

#[cfg(feature = "cpu")]
fn normal_cdf(z: f32) -> f32 {
    0.5 * (1.0 + libm::erff(z * std::f32::consts::FRAC_1_SQRT_2))
}
