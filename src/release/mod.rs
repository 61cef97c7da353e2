//! What the services on this server are given once it is known to be at home.

pub mod mariadb;
