/// The reason why an operation refused its arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// Two tensors whose shapes do not fit each other.
    #[error("{op}: {left_name} {left:?} does not fit {right_name} {right:?}: {rule}")]
    Shapes {
        /// The operation.
        op: &'static str,
        /// Name of the first tensor.
        left_name: &'static str,
        /// Shape of the first tensor.
        left: Vec<usize>,
        /// Name of the second tensor.
        right_name: &'static str,
        /// Shape of the second tensor.
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
        /// Value of the option.
        value: String,
        /// Reason why the value cannot be used.
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

/// Ends the call with the error's own message: shapes that do not fit are a programmer's error.
#[track_caller]
pub(crate) fn or_panic<T>(result: Result<T, KernelError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
