//! Tests of the readers and writers against right values from elsewhere, damaged files and limits of memory.

mod allocation; // counts the bytes that a piece of code takes
mod tables; // text tables as laboratories, spreadsheets and programs write them
