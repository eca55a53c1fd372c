//! A limit on a process's memory, as a container has it: a control group of its own, version 1 or 2.

use std::fs;
use std::path::{Path, PathBuf};

/// A control group with a memory limit. Dropped, it goes; its processes must have ended.
pub struct MemoryGroup {
    dir: PathBuf,
    is_v1: bool,
}

impl MemoryGroup {
    /// # Panics
    /// If this user may not make one: that takes root, and a hierarchy with the memory controller.
    pub fn new(name: &str, limit: u64) -> MemoryGroup {
        let v1 = Path::new("/sys/fs/cgroup/memory");
        let is_v1 = v1.exists();
        let dir = if is_v1 { v1 } else { Path::new("/sys/fs/cgroup") }.join(format!("millrace-{name}"));
        fs::create_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}; control groups take root", dir.display()));
        let group = MemoryGroup { dir, is_v1 };
        group.write(group.name("memory.limit_in_bytes", "memory.max"), limit);
        group
    }

    /// The command that runs what follows it in this group.
    pub fn command(&self) -> Vec<String> {
        let procs = self.dir.join("cgroup.procs").display().to_string();
        ["sh", "-c", r#"echo $$ > "$1" && shift && exec "$@""#, "sh", &procs]
            .map(str::to_owned)
            .to_vec()
    }

    /// Processes that the kernel has killed here for want of memory.
    pub fn kills(&self) -> u64 {
        let file = self.name("memory.oom_control", "memory.events");
        let text = self.read(file);
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse().ok()).expect("oom_kill")
    }

    /// Bytes that its processes hold themselves, without the page cache, which goes when they need it.
    pub fn resident(&self) -> u64 {
        let key = self.name("rss ", "anon ");
        let text = self.read("memory.stat");
        let bytes = text.lines().find_map(|line| line.strip_prefix(key));
        bytes
            .and_then(|bytes| bytes.trim().parse().ok())
            .expect("resident memory")
    }

    fn name<'a>(&self, v1: &'a str, v2: &'a str) -> &'a str {
        if self.is_v1 { v1 } else { v2 }
    }

    fn read(&self, file: &str) -> String {
        let path = self.dir.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn write(&self, file: &str, value: u64) {
        let path = self.dir.join(file);
        fs::write(&path, value.to_string()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.dir);
    }
}
