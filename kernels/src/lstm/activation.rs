//! `σ` and `tanh` from IEEE additions, products and divisions alone, so that a loop over them
//! vectorises and the bits do not depend on a system library. Polynomials of Cephes (Moshier).

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts; the first has few bits, so that its multiples are exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// 1.5 x 2²³: adding it rounds to an integer, which then sits in the low bits of the sum.
const ROUND: f32 = 12_582_912.0;

/// eˣ within 2 units in the last place, for |x| clamped to 87.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 87.0);
    let shifted = x * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let fraction = p * (r * r) + r + 1.0;
    fraction * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// The logistic function.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
    let z = x * x;
    let p = -5.704_988_7e-3;
    let p = p * z + 2.063_909e-2;
    let p = p * z - 5.373_971_6e-2;
    let p = p * z + 0.133_314_42;
    let p = p * z - 0.333_332_8;
    let near = p * z * x + x;
    if x.abs() < 0.625 { near } else { far }
}

#[cfg(test)]
mod tests {
    /// Both functions against f64 over the range where they are not constant.
    #[test]
    fn close_to_f64() {
        for i in -40_000..=40_000 {
            let x = i as f32 * 1e-3;
            let sigmoid = 1.0 / (1.0 + (-f64::from(x)).exp());
            let error = (f64::from(super::sigmoid(x)) - sigmoid).abs() / sigmoid;
            assert!(error < 4e-7, "sigmoid({x}): relative error {error:e}");
            let tanh = f64::from(x).tanh();
            let error = (f64::from(super::tanh(x)) - tanh).abs() / tanh.abs().max(1e-30);
            assert!(error < 4e-7, "tanh({x}): relative error {error:e}");
        }
        assert!(super::tanh(f32::NAN).is_nan() && super::sigmoid(f32::NAN).is_nan());
        assert_eq!(super::tanh(f32::INFINITY), 1.0);
        assert!(super::sigmoid(f32::NEG_INFINITY) < 1e-37);
    }
}
