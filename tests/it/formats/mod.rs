//! Readers of file formats against the field's own libraries, and against broken bytes.

mod c3d;
mod keypoints;
mod mutate;
mod skeleton;
