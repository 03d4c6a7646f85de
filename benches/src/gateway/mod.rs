//! What the comparisons of gateways share: processes on cores of their own, the load, and the programs that they run
//! as proxies and services.

pub mod load;
pub mod process;
pub mod serve;
