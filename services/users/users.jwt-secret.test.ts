import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { secretInFile } from "./users.jwt-secret.ts";

describe("the secret in a file", () => {
	const parent = mkdtempSync(join(tmpdir(), "plaza-secret-"));
	after(() => rmSync(parent, { recursive: true }));
	let count = 0;
	const fresh = () => join(parent, String(count++));

	it("is random, generated once and stored", () => {
		const [one, other] = [fresh(), fresh()];
		assert.match(secretInFile(one), /^[\w-]{64}$/);
		assert.equal(secretInFile(one), secretInFile(one));
		assert.notEqual(secretInFile(one), secretInFile(other));
		assert.deepEqual(readdirSync(one), ["jwt-secret"]);
	});

	it("is readable by its owner only", { skip: process.platform === "win32" }, () => {
		const dir = fresh();
		const before = process.umask(0);
		try {
			secretInFile(dir);
		} finally {
			process.umask(before);
		}
		assert.equal(statSync(join(dir, "jwt-secret")).mode & 0o777, 0o600);
	});

	it("is generated again if the process was killed before the file was complete", { skip: process.platform === "win32" }, () => {
		const dir = fresh();
		secretInFile(dir);
		rmSync(join(dir, "jwt-secret"));
		writeFileSync(join(dir, "jwt-secret.making"), "half a sec");
		chmodSync(join(dir, "jwt-secret.making"), 0o666);
		assert.match(secretInFile(dir), /^[\w-]{64}$/);
		assert.deepEqual(readdirSync(dir), ["jwt-secret"]);
		assert.equal(statSync(join(dir, "jwt-secret")).mode & 0o777, 0o600);
	});

	for (const damaged of ["", "short", "\u0000".repeat(64)])
		it(`is rejected when it is damaged, with a message that says what to do: ${JSON.stringify(damaged.slice(0, 5))}`, () => {
			const dir = fresh();
			secretInFile(dir);
			writeFileSync(join(dir, "jwt-secret"), damaged);
			assert.throws(
				() => secretInFile(dir),
				({ message }: Error) => message.includes(join(dir, "jwt-secret")) && message.includes("delete it")
			);
			assert.equal(readFileSync(join(dir, "jwt-secret"), "utf8"), damaged);
		});
});
