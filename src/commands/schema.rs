//! `schema`: what a task may hold and what is printed, as JSON Schema (draft 2020-12), for editors and for programs that
//! read our documents. A test holds both to what the program takes and prints.

use crate::cli::{Schema, SchemaOf};
use crate::error::Error;
use crate::report::Out;

const TASK: &str = include_str!("schema/task.json");
const RESULT: &str = include_str!("schema/result.json");

pub fn schema(out: &Out, args: &Schema) -> Option<Error> {
    out.text(match args.of {
        SchemaOf::Task => TASK,
        SchemaOf::Result => RESULT,
    });
    None
}
