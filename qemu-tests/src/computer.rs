//! What figures are measured on.

use crate::{Result, run};

/// This computer, and how busy it is.
#[derive(Clone, Debug)]
pub struct Computer {
    /// Year, month, day.
    pub date: String,
    pub processor: String,
    pub cores: usize,
    /// How many processes wanted a core over the last minute.
    pub load: String,
}

impl Computer {
    /// # Errors
    /// Where /proc tells nothing of it.
    pub fn seen() -> Result<Self> {
        let processors = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']));
        let load = std::fs::read_to_string("/proc/loadavg")?;
        Ok(Self {
            date: run("date", &["-u", "+%Y-%m-%d"])?.trim().to_string(),
            processor: model.unwrap_or("an unknown processor").to_string(),
            cores: std::thread::available_parallelism()?.get(),
            load: load.split(' ').next().unwrap_or_default().to_string(),
        })
    }
}
