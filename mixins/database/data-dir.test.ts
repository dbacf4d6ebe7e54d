import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs, {
	chmodSync,
	chownSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { DataDirError, takeDataDir } from "./data-dir.ts";

describe("the data directory", () => {
	const parent = mkdtempSync(join(tmpdir(), "plaza-data-dir-"));
	after(() => rmSync(parent, { recursive: true }));
	let count = 0;
	const fresh = () => join(parent, String(count++));

	it("is created and taken, and free again after its release", () => {
		const dir = fresh();
		const release = takeDataDir(dir);
		assert.match(readFileSync(join(dir, "lock"), "utf8"), new RegExp(`^${process.pid} `));
		release();
		takeDataDir(dir)();
	});

	it("is refused with the owner's pid while another process holds it, and can be taken once that process was killed", async () => {
		const dir = fresh();
		const script = `import { takeDataDir } from ${JSON.stringify(join(import.meta.dirname, "data-dir.ts"))}; takeDataDir(${JSON.stringify(dir)}); console.log("taken"); setInterval(() => {}, 1000);`;
		const other = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
		await new Promise(resolve => other.stdout.once("data", resolve));
		assert.throws(
			() => takeDataDir(dir),
			(error: Error) =>
				error instanceof DataDirError && error.message.includes(`process ${other.pid}`) && error.message.includes(dir)
		);
		const exited = new Promise(resolve => other.once("exit", resolve));
		other.kill("SIGKILL");
		await exited;
		takeDataDir(dir)();
	});

	it("is taken over from a process that has ended, even if another one has its pid now", () => {
		const dir = fresh();
		takeDataDir(dir)();
		writeFileSync(join(dir, "lock"), `${process.ppid} 1`);
		takeDataDir(dir)();
	});

	for (const left of ["", "0", "nonsense", `${process.pid} 1`])
		it(`is taken over from a lock file that contains ${JSON.stringify(left)}`, () => {
			const dir = fresh();
			takeDataDir(dir)();
			writeFileSync(join(dir, "lock"), left);
			const release = takeDataDir(dir);
			assert.match(readFileSync(join(dir, "lock"), "utf8"), new RegExp(`^${process.pid} (?!1$)`));
			release();
			assert.deepEqual(readdirSync(dir), []);
		});

	const isWindows = process.platform === "win32";
	const modeOf = (dir: string) => statSync(dir).mode & 0o777;

	it("is for its own user only, with every directory that was created for it", { skip: isWindows }, () => {
		const dir = join(fresh(), "below");
		takeDataDir(dir)();
		assert.deepEqual([modeOf(dir), modeOf(join(dir, ".."))], [0o700, 0o700]);
	});

	it("is closed to other users if it existed before and was open to them", { skip: isWindows }, () => {
		for (const mode of [0o755, 0o777, 0o750, 0o701]) {
			const dir = fresh();
			mkdirSync(dir);
			chmodSync(dir, mode);
			takeDataDir(dir)();
			assert.equal(modeOf(dir), 0o700, mode.toString(8));
		}
	});

	it("is refused in one line, and left as it is, if it belongs to another user", { skip: isWindows }, t => {
		const dir = fresh();
		mkdirSync(dir, { mode: 0o755 });
		t.mock.method(process as { getuid(): number }, "getuid", () => 4_321);
		const before = modeOf(dir);
		assert.throws(
			() => takeDataDir(dir, "DATA_DIR=theirs"),
			(error: Error) =>
				error instanceof DataDirError && /^DATA_DIR=theirs is unusable \(it belongs to user \d+.*\): give.*$/.test(error.message)
		);
		assert.equal(modeOf(dir), before);
		assert.ok(!readdirSync(dir).some(name => name.startsWith("lock")));
	});

	it("may be used by root if it belongs to another user, and keeps its owner", { skip: isWindows }, t => {
		const dir = fresh();
		mkdirSync(dir, { mode: 0o755 });
		// Only root may change the owner of a directory. Other users own it: with the replaced `getuid` it is another user's.
		if (process.getuid?.() === 0) chownSync(dir, 65_534, 65_534);
		const { uid } = statSync(dir);
		t.mock.method(process as { getuid(): number }, "getuid", () => 0);
		takeDataDir(dir)();
		assert.deepEqual([modeOf(dir), statSync(dir).uid], [0o700, uid]);
	});

	for (const [name, chmod] of [
		["ignores modes", () => {}],
		["refuses modes", () => assert.fail(Object.assign(new Error("not permitted"), { code: "EPERM" }))]
	] as const)
		it(`is used with a warning that names it where the file system ${name}`, { skip: isWindows }, async t => {
			const dir = fresh();
			mkdirSync(dir, { mode: 0o755 });
			t.mock.method(fs, "chmodSync", chmod);
			syncBuiltinESMExports();
			t.after(() => {
				t.mock.restoreAll();
				syncBuiltinESMExports();
			});
			const warned = once(process, "warning", { signal: t.signal });
			takeDataDir(dir, "DATA_DIR=shared")();
			const [{ message }] = await warned;
			assert.match(message, /^DATA_DIR=shared: .*give a directory on another file system$/);
		});

	it("is refused in one line with its label when it cannot be created", () => {
		assert.throws(
			() => takeDataDir("/dev/null/plaza", "DATA_DIR=/dev/null/plaza"),
			(error: Error) => error instanceof DataDirError && /^DATA_DIR=\/dev\/null\/plaza is unusable .*: give/.test(error.message)
		);
	});
});
