/// Why an operation refused its arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// Two tensors whose shapes do not fit each other.
    #[error("{op}: {left_name} {left:?} does not fit {right_name} {right:?}: {rule}")]
    Shapes {
        /// The operation.
        op: &'static str,
        /// What the first tensor is.
        left_name: &'static str,
        /// Its shape.
        left: Vec<usize>,
        /// What the second tensor is.
        right_name: &'static str,
        /// Its shape.
        right: Vec<usize>,
        /// The rule that is broken.
        rule: &'static str,
    },
    /// An option that has no meaning, alone or for this input.
    #[error("{op}: {option} = {value} {problem}")]
    Option {
        /// The operation.
        op: &'static str,
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot be used.
        problem: String,
    },
}

impl KernelError {
    pub(crate) fn option(
        op: &'static str,
        option: &'static str,
        value: impl std::fmt::Debug,
        problem: impl Into<String>,
    ) -> Self {
        Self::Option {
            op,
            option,
            value: format!("{value:?}"),
            problem: problem.into(),
        }
    }
}

/// Fails with the two shapes unless `fits`.
pub(crate) fn check_shapes(
    op: &'static str,
    fits: bool,
    (left_name, left): (&'static str, &[usize]),
    (right_name, right): (&'static str, &[usize]),
    rule: &'static str,
) -> Result<(), KernelError> {
    if fits {
        return Ok(());
    }
    Err(KernelError::Shapes {
        op,
        left_name,
        left: left.to_vec(),
        right_name,
        right: right.to_vec(),
        rule,
    })
}

/// The value, or a panic with the error's own message: for the functions without `try_`.
#[track_caller]
pub(crate) fn or_panic<T>(result: Result<T, KernelError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
