// Chains of processes as npm starts them: npm, the shell of its script, and the program, which waits here for the end of npm.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { eventually } from "../test/client.ts";

const isRunning = (pid: number) => {
	try {
		return process.kill(pid, 0);
	} catch {
		return false;
	}
};

describe("a program that npm has started", { skip: process.platform !== "linux" }, () => {
	it("learns that npm has ended, also when nobody reads npm's exit status and the shell between them waits on", async t => {
		const dir = mkdtempSync(join(tmpdir(), "plaza-parent-"));
		t.after(() => rmSync(dir, { recursive: true, force: true }));
		const [npm, program] = [join(dir, "npm.mjs"), join(dir, "program.mjs")];
		const script = `"${process.execPath}" "${program}"; exit $?`;
		writeFileSync(
			npm,
			`import { spawn } from "node:child_process";
			console.log("npm " + process.pid);
			spawn("/bin/sh", ["-c", ${JSON.stringify(script)}], { stdio: "inherit" });`
		);
		writeFileSync(
			program,
			`import { onParentGone } from ${JSON.stringify(import.meta.resolve("./parent.ts"))};
			console.log("program " + process.pid);
			const running = setInterval(() => {}, 1_000);
			await onParentGone("node program.mjs", () => {
				console.log("npm has ended");
				clearInterval(running);
			});
			console.log("waiting");`
		);
		// The shell starts npm and becomes `sleep`, which never reads the exit status of a child.
		const holder = spawn("/bin/sh", ["-c", `"${process.execPath}" "${npm}" & exec sleep 600`], {
			stdio: ["ignore", "pipe", "inherit"]
		});
		t.after(() => holder.kill("SIGKILL"));
		let output = "";
		holder.stdout.setEncoding("utf8").on("data", text => {
			output += text;
		});
		const pidOf = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(output)?.[1]);
		t.after(() => isRunning(pidOf("program")) && process.kill(pidOf("program"), "SIGKILL"));
		await eventually(() => assert.match(output, /^waiting$/m), "the program to wait");
		process.kill(pidOf("npm"), "SIGKILL");
		await eventually(() => assert.match(output, /^npm has ended$/m), "the program to learn it");
		assert.ok(isRunning(pidOf("npm")), "npm is still in the list of processes: otherwise this test proves nothing");
	});
});
