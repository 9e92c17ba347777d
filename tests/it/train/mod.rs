//! Stage 2: the network, its training and what it writes while it trains.

mod divergence;
mod doctor;
mod finite_differences;
mod former_names;
mod golden;
mod init;
mod nets;
mod options;
mod overrides;
mod own_trunk;
mod streams;
mod trainer;
mod unknown_labels;
mod watch;
mod weights;
