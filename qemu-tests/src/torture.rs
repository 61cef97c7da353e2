//! What a great many servers become under `stayput mariadb enable`, and what
//! is left when it is interrupted anywhere.

mod cuts;
mod group;
mod kept_rows;
mod servers;
mod trial;
mod view;

pub use cuts::{Cut, Kind};
pub use group::{Finding, groups, try_all};
pub use kept_rows::Life;
pub use servers::{Expected, ServerText, all as all_servers};
