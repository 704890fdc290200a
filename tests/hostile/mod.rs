//! Producers that mean harm, or merely write nonsense: what they send is archived or rejected, limits hold at their edge, and memory and time
//! stay bounded.

mod limits;
mod names;
mod sizes;
