//! What the figures were measured on.

use qemu_tests::{Computer, Result, accelerator, run};

use crate::images::Images;

pub struct Surroundings {
    /// Year, month, day.
    pub date: String,
    pub processor: String,
    pub cores: usize,
    /// How many processes wanted a core before the first boot, over a minute.
    pub load: String,
    pub qemu: String,
    /// QEMU's word for how it runs the guest.
    pub accelerator: &'static str,
    pub kernel: String,
    /// "name version" of the packages.
    pub packages: Vec<String>,
}

impl Surroundings {
    pub fn seen(images: &[Images]) -> Result<Self> {
        let mut packages = Vec::new();
        let mut kernels = Vec::new();
        for image in images {
            packages.extend(image.versions()?);
            kernels.push(image.kernel_version()?);
        }
        packages.sort();
        packages.dedup();
        kernels.dedup();
        let computer = Computer::seen()?;
        let qemu = run("qemu-system-x86_64", &["--version"])?;
        Ok(Self {
            date: computer.date,
            processor: computer.processor,
            cores: computer.cores,
            load: computer.load,
            qemu: qemu.lines().next().unwrap_or_default().to_string(),
            accelerator: accelerator(),
            kernel: kernels.join(" and "),
            packages,
        })
    }

    pub fn emulated(&self) -> bool {
        self.accelerator != "kvm"
    }
}
