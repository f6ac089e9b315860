//! Loops compiled for the vector units that are found at run time.

#[cfg(feature = "cpu")]
use pulp::{Simd, WithSimd};

/// Runs `work` with the widest vectors of this machine, those of 256 bits with fused multiply-add where it has them.
/// (pulp's own choice includes them only by a feature that would rebuild all that depends on it.)
#[cfg(feature = "cpu")]
pub(crate) fn dispatch<W: WithSimd>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return Simd::vectorize(simd, work);
    }
    pulp::Arch::new().dispatch(work)
}

/// Calls `work`, compiled for AVX2 where the machine has it: a loop in a closure that the compiler can inline then runs on
/// wider vectors. Bits stay the same: products and sums are not contracted.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) fn vectorised<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn with_avx2<T>(work: impl FnOnce() -> T) -> T {
            work()
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has the instructions.
            return unsafe { with_avx2(work) };
        }
    }
    work()
}
