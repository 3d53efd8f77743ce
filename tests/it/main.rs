//! One integration binary: the real program against a double of the world. A file per promise.

mod afterwards;
#[cfg(unix)]
mod checks;
mod content;
mod crash;
mod damage;
mod doctor;
mod errors;
mod faults;
mod github;
mod hostile;
mod large;
mod later;
mod layering;
mod llm_answers;
mod llm_records;
mod llm_servers;
mod llm_tasks;
mod manual;
mod model;
mod new;
mod notify;
mod output;
mod readme;
mod repairs;
mod reruns;
mod rescue;
mod run;
mod schema;
mod secrets;
mod side_by_side;
mod state_layout;
mod walk;
mod whose;
mod world;
mod xlsx;
