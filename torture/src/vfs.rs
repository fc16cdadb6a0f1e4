//! A file system under SQLite that hands every change to a [`Disk`] before and after it is done, and leaves the doing to SQLite's
//! own: locks and shared memory are the real ones.
//!
//! A ready-made crate was looked at: `sqlite-plugin` needs libclang to build, and a shared memory of our own. This is the one file of the workspace with `unsafe` in it.
#![expect(unsafe_code, reason = "SQLite's file systems are tables of C functions; a test crate, and no part of the program")]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    mem::size_of,
    path::Path,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use libsqlite3_sys::{
    SQLITE_OK, SQLITE_OPEN_CREATE, sqlite3_file, sqlite3_filename, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find,
    sqlite3_vfs_register,
};

/// A change that SQLite asks for. Files are called by the last part of their name.
#[derive(Clone, Copy, Debug)]
pub enum Op<'a> {
    /// A file is opened, and made if need be.
    Open {
        /// Which.
        file: &'a str,
        /// Whether it may be made.
        create: bool,
    },
    /// Bytes are written.
    Write {
        /// Which file.
        file: &'a str,
        /// Where.
        offset: u64,
        /// What.
        data: &'a [u8],
    },
    /// A file is cut or stretched.
    Truncate {
        /// Which.
        file: &'a str,
        /// Its new length.
        size: u64,
    },
    /// Everything written to a file so far shall be on the disk.
    Sync {
        /// Which.
        file: &'a str,
    },
    /// A file is removed.
    Delete {
        /// Which.
        file: &'a str,
        /// Whether the folder is synced as well.
        durable: bool,
    },
}

/// What a disk does with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Does it.
    Do,
    /// Says that it did, and does not.
    Pretend,
    /// Fails with this code of SQLite's.
    Fail(c_int),
    /// Writes so many bytes, then fails with this code.
    Short(usize, c_int),
}

/// Somebody who watches the changes and may refuse them.
pub trait Disk: Send + Sync + 'static {
    /// Asked before a change is done.
    fn before(&self, op: Op<'_>) -> Verdict {
        let _any = op;
        Verdict::Do
    }

    /// Told after it was done.
    fn after(&self, op: Op<'_>) {
        let _any = op;
    }
}

/// Registers a file system over this disk, for the life of the process, and answers its name.
pub fn register(disk: Arc<dyn Disk>) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("watched{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let shown = CString::new(name.clone()).unwrap();
    // SAFETY: a null name asks for the default, which lives as long as the process. What is registered is leaked, so that every
    // pointer in it does, too. The default's methods that are taken over as they are do not look into `pAppData`.
    unsafe {
        let real = sqlite3_vfs_find(ptr::null());
        let under = Box::into_raw(Box::new(Under { real, disk }));
        let table = sqlite3_vfs {
            szOsFile: c_int::try_from(size_of::<Watched>()).unwrap() + (*real).szOsFile,
            pNext: ptr::null_mut(),
            zName: shown.into_raw(),
            pAppData: under.cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            ..*real
        };
        assert_eq!(sqlite3_vfs_register(Box::into_raw(Box::new(table)), 0), SQLITE_OK);
    }
    name
}

struct Under {
    real: *mut sqlite3_vfs,
    disk: Arc<dyn Disk>,
}

/// Ours, with the real file behind it in the same piece of memory.
#[repr(C)]
struct Watched {
    base: sqlite3_file,
    under: *const Under,
    /// Owned; null for a file without a name.
    name: *mut String,
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // Version 2 has shared memory, and no memory-mapped pages past our eyes.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

fn last_part(path: &CStr) -> String {
    let path = path.to_string_lossy();
    Path::new(&*path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

unsafe extern "C" fn open(vfs: *mut sqlite3_vfs, path: sqlite3_filename, file: *mut sqlite3_file, flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes at `file`: ours, then the real one's. `pMethods` is set only when all went well.
    unsafe {
        (*file).pMethods = ptr::null();
        let under = (*vfs).pAppData.cast::<Under>().cast_const();
        let name = (!path.is_null()).then(|| last_part(CStr::from_ptr(path)));
        let create = flags & SQLITE_OPEN_CREATE != 0;
        if let Some(file) = &name
            && let Verdict::Fail(code) = (*under).disk.before(Op::Open { file, create })
        {
            return code;
        }
        let behind = real(file);
        let code = (*(*under).real).xOpen.unwrap()((*under).real, path, behind, flags, out);
        if code != SQLITE_OK {
            if let Some(methods) = (*behind).pMethods.as_ref() {
                methods.xClose.unwrap()(behind);
            }
            return code;
        }
        if let Some(file) = &name {
            (*under).disk.after(Op::Open { file, create });
        }
        let name = name.map_or(ptr::null_mut(), |name| Box::into_raw(Box::new(name)));
        file.cast::<Watched>().write(Watched { base: sqlite3_file { pMethods: &raw const METHODS }, under, name });
    }
    SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, path: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: `vfs` is the table that `register` made, `path` a C string.
    unsafe {
        let under = &*(*vfs).pAppData.cast::<Under>();
        let name = last_part(CStr::from_ptr(path));
        let op = Op::Delete { file: &name, durable: sync_folder != 0 };
        watched(&*under.disk, Some(op), || (*under.real).xDelete.unwrap()(under.real, path, sync_folder))
    }
}

/// The real file behind ours.
unsafe fn real(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: both were asked for in one piece, ours first; its size keeps the alignment.
    unsafe { file.cast::<Watched>().add(1).cast() }
}

/// Asks, does, tells.
fn watched(disk: &dyn Disk, op: Option<Op<'_>>, act: impl FnOnce() -> c_int) -> c_int {
    let Some(op) = op else { return act() };
    match disk.before(op) {
        Verdict::Do => {}
        Verdict::Pretend => return SQLITE_OK,
        Verdict::Fail(code) | Verdict::Short(_, code) => return code,
    }
    done(disk, op, act())
}

/// Tells of what went well.
fn done(disk: &dyn Disk, op: Op<'_>, code: c_int) -> c_int {
    if code == SQLITE_OK {
        disk.after(op);
    }
    code
}

unsafe fn name<'a>(file: *mut sqlite3_file) -> Option<&'a str> {
    // SAFETY: `open` wrote the pointer, `close` frees it.
    unsafe { (*file.cast::<Watched>()).name.as_ref().map(String::as_str) }
}

unsafe fn disk<'a>(file: *mut sqlite3_file) -> &'a dyn Disk {
    // SAFETY: `open` wrote the pointer; what it points to is never freed.
    unsafe { &*(*(*file.cast::<Watched>()).under).disk }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, amount: c_int, offset: sqlite3_int64) -> c_int {
    // SAFETY: SQLite hands over `amount` readable bytes.
    unsafe {
        let data = std::slice::from_raw_parts(from.cast::<u8>(), usize::try_from(amount).unwrap());
        let op = name(file).map(|file| Op::Write { file, offset: u64::try_from(offset).unwrap(), data });
        let behind = real(file);
        let put = |amount: c_int| (*(*behind).pMethods).xWrite.unwrap()(behind, from, amount, offset);
        let Some(op) = op else { return put(amount) };
        match disk(file).before(op) {
            Verdict::Do => done(disk(file), op, put(amount)),
            Verdict::Pretend => SQLITE_OK,
            Verdict::Fail(code) => code,
            Verdict::Short(some, code) => {
                put(c_int::try_from(some.min(data.len())).unwrap());
                code
            }
        }
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: `file` was opened by us.
    unsafe {
        let op = name(file).map(|file| Op::Truncate { file, size: u64::try_from(size).unwrap() });
        let behind = real(file);
        watched(disk(file), op, || (*(*behind).pMethods).xTruncate.unwrap()(behind, size))
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: `file` was opened by us.
    unsafe {
        let op = name(file).map(|file| Op::Sync { file });
        let behind = real(file);
        watched(disk(file), op, || (*(*behind).pMethods).xSync.unwrap()(behind, flags))
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: `file` was opened by us, and is not used after this.
    unsafe {
        let name = (*file.cast::<Watched>()).name;
        if !name.is_null() {
            drop(Box::from_raw(name));
        }
        let behind = real(file);
        (*(*behind).pMethods).xClose.unwrap()(behind)
    }
}

macro_rules! forward {
    ($($name:ident = $method:ident($($argument:ident: $kind:ty),*) $(-> $out:ty)?;)+) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file, $($argument: $kind),*) $(-> $out)? {
            // SAFETY: `file` was opened by us; the real file behind it gets what SQLite gave.
            unsafe {
                let behind = real(file);
                (*(*behind).pMethods).$method.unwrap()(behind, $($argument),*)
            }
        }
    )+};
}

forward! {
    read = xRead(to: *mut c_void, amount: c_int, offset: sqlite3_int64) -> c_int;
    file_size = xFileSize(size: *mut sqlite3_int64) -> c_int;
    lock = xLock(level: c_int) -> c_int;
    unlock = xUnlock(level: c_int) -> c_int;
    check_reserved_lock = xCheckReservedLock(out: *mut c_int) -> c_int;
    file_control = xFileControl(op: c_int, argument: *mut c_void) -> c_int;
    sector_size = xSectorSize() -> c_int;
    device_characteristics = xDeviceCharacteristics() -> c_int;
    shm_map = xShmMap(region: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int;
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    shm_barrier = xShmBarrier();
    shm_unmap = xShmUnmap(delete: c_int) -> c_int;
}
