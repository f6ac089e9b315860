//! Loops compiled for the vector units that are found at run time.

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
