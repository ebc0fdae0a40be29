//! The simulated disk from outside: brute force over a naive reference must give the same crash
//! states, with the same counts.

mod agrees;
mod brute;
mod failing;
mod history;
mod lattice;
mod lives;
mod order;
mod reader;
mod reference;
mod states;
