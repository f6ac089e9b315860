//! The natural logarithm of many values at once.

/// The natural logarithm of each value, none of them negative.
#[inline(always)]
pub(super) fn logarithms(values: &mut [f32]) {
    // Without a branch for what is rare, the loop vectorises; the bits of a value are the same in both.
    if values.iter().all(|value| value.is_normal()) {
        values.iter_mut().for_each(|value| *value = ln(*value));
    } else {
        values.iter_mut().for_each(|value| {
            *value = if value.is_normal() {
                ln(*value)
            } else {
                libm::logf(*value)
            }
        });
    }
}

/// The natural logarithm of a positive normal number, from IEEE additions and products alone: the polynomial of
/// Cephes (Moshier) over \[sqrt(1/2), sqrt(2)).
#[inline(always)]
fn ln(x: f32) -> f32 {
    let exponent = (x.to_bits().wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits()) as i32) >> 23;
    let fraction = f32::from_bits(x.to_bits().wrapping_sub((exponent as u32) << 23)) - 1.0;
    let square = fraction * fraction;
    let p = 7.037_683_6e-2;
    let p = p * fraction - 1.151_461e-1;
    let p = p * fraction + 1.167_699_9e-1;
    let p = p * fraction - 1.242_014_1e-1;
    let p = p * fraction + 1.424_932_3e-1;
    let p = p * fraction - 1.666_805_8e-1;
    let p = p * fraction + 2.000_071_5e-1;
    let p = p * fraction - 2.499_999_4e-1;
    let p = p * fraction + 3.333_333e-1;
    let exponent = exponent as f32;
    // ln 2 in two parts; the first has few bits, so that its multiples are exact.
    let small = p * fraction * square - exponent * 2.121_944_4e-4 - 0.5 * square;
    (fraction + small) + exponent * 0.693_359_4
}

#[cfg(test)]
mod tests {
    /// Against f64 over all exponents; around 1, where the logarithm is 0, by absolute error.
    #[test]
    fn logarithm_is_close_to_f64() {
        for bits in (f32::MIN_POSITIVE.to_bits()..f32::INFINITY.to_bits()).step_by(9973) {
            let x = f32::from_bits(bits);
            let expected = f64::from(x).ln();
            let error = (f64::from(super::ln(x)) - expected).abs() / expected.abs().max(0.5);
            assert!(error < 1.5e-7, "ln({x:e}): error {error:e}");
        }
        let mut rare = [0.0, f32::INFINITY, 1e-40, 1.0];
        super::logarithms(&mut rare);
        assert_eq!(rare[..2], [f32::NEG_INFINITY, f32::INFINITY]);
        assert!((rare[2] + 92.1034).abs() < 1e-3 && rare[3] == 0.0);
    }
}
