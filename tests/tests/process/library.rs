//! Process calls from a library that a program loads: there is no executable that a worker could
//! run, so each call is an error that says so. Nothing is started.

use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};
use std::process::Command;

use trine::Error;
use trine_tests::process::double;

/// The example `foreign`, which `cargo test` builds too; built here if only this test was asked
/// for.
fn library() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().and_then(Path::parent).unwrap();
    let name = format!("{}foreign{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let library = folder.join("examples").join(name);
    if library.exists() {
        return library;
    }
    let profile = match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "-p", "trine-tests", "--example", "foreign"]);
    cargo.args(["--profile", profile, "--target-dir"]);
    // For another system than Cargo's own there is a folder between.
    let targets = folder.parent().unwrap();
    match targets.join(".rustc_info.json").exists() {
        true => cargo.arg(targets),
        false => {
            cargo.arg(targets.parent().unwrap()).arg("--target").arg(targets.file_name().unwrap())
        }
    };
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
    assert!(status.success() && library.exists(), "{}", library.display());
    library
}

/// A static program loads no libraries, and a library cannot be static.
const IS_STATIC: bool = cfg!(target_feature = "crt-static");

const WHY: &str = "its code is in a library, not in the executable that a worker runs";

#[test]
fn a_function_of_a_loaded_library_is_refused() -> Result<(), Error> {
    if IS_STATIC {
        println!("skipped: this program is static");
        return Ok(());
    }
    // This program's own calls work as usual, before and after.
    assert_eq!(double(4).join()?, 8);
    let path = CString::new(library().to_str().unwrap()).unwrap();
    let mut text = [0 as c_char; 500];
    // SAFETY: the library exists, has such a function, and stays loaded.
    let (result, text) = unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        assert!(!library.is_null(), "{:?}", CStr::from_ptr(libc::dlerror()));
        let call = libc::dlsym(library, c"trine_call".as_ptr());
        assert!(!call.is_null());
        let call: unsafe extern "C" fn(*mut c_char, usize) -> i64 = std::mem::transmute(call);
        (call(text.as_mut_ptr(), text.len()), CStr::from_ptr(text.as_ptr()).to_str().unwrap())
    };
    assert!(result == -1 && text.contains(WHY), "{result} {text}");
    assert_eq!(double(5).join()?, 10);
    Ok(())
}

/// A program that knows nothing about trine.
#[test]
fn a_program_of_another_language_is_told_so() {
    if IS_STATIC {
        println!("skipped: this program is static");
        return;
    }
    let script = "\
import ctypes, sys
text = ctypes.create_string_buffer(500)
call = ctypes.CDLL(sys.argv[1]).trine_call
call.argtypes, call.restype = [ctypes.c_char_p, ctypes.c_size_t], ctypes.c_int64
for _ in range(2):
    print(call(text, 500), text.value.decode())
";
    let output = Command::new("python3").args(["-c", script]).arg(library()).output();
    let Ok(output) = output else {
        println!("skipped: no python3 here");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let is_told = |line: &str| line.starts_with("-1 task `double` ") && line.contains(WHY);
    assert!(said.lines().count() == 2 && said.lines().all(is_told), "{said}");
}
