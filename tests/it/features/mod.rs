//! Features against SciPy, PyWavelets, scikit-learn, statsmodels and NeuroKit2, and against laws that need no reference.

mod image;
mod motion;
mod table;
