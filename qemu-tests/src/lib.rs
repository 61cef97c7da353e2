//! Boots real machines in QEMU and checks what stayput does on them.
