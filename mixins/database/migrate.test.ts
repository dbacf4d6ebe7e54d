import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { ServiceBroker } from "moleculer";
import { eventually } from "../../test/client.ts";
import { database } from "./database.ts";
import { openEmbedded } from "./embedded.ts";
import { migrate } from "./migrate.ts";

const creates = (table: string) =>
	`export const up = knex => knex.schema.createTable("${table}", t => t.increments());
	export const down = knex => knex.schema.dropTable("${table}");`;

describe("migrations", () => {
	const parent = mkdtempSync(join(tmpdir(), "migrate-"));
	const db = openEmbedded(join(parent, "data"));
	// Creating a database can take longer than a statement may wait for its connection.
	before(() => eventually(() => db.check(), "the embedded Postgres to answer"));
	after(async () => {
		await db.close();
		rmSync(parent, { recursive: true });
	});
	let count = 0;
	/** A new folder with these files. */
	const folderOf = (files: Record<string, string>) => {
		const folder = join(parent, `migrations-${++count}`);
		mkdirSync(folder);
		for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
		return folder;
	};
	const ran = async (table: string) => (await db.knex(table).orderBy("id")).map(({ name }: { name: string }) => name);

	it("run from .ts, .js and .mjs files in the order of their names, beside what a build leaves there", async () => {
		const folder = folderOf({
			"001_a.ts": `import type { Knex } from "knex"; ${creates("a")}`,
			"003_c.js": creates("c"),
			"002_b.mjs": creates("b"),
			"002_b.mjs.map": "{}",
			"003_c.d.ts": "export {};",
			".gitkeep": ""
		});
		await migrate(db, folder, "kinds_migrations");
		assert.deepEqual(await ran("kinds_migrations"), ["001_a", "002_b", "003_c"]);
		for (const table of ["a", "b", "c"]) assert.deepEqual(await db.knex(table), []);
	});

	it("run from a CommonJS file", async () => {
		const folder = folderOf({
			"package.json.map": "",
			"001_cjs.js": `const up = knex => knex.schema.createTable("cjs", t => t.increments()); module.exports = Object.assign({}, { up, down() {} });`
		});
		await migrate(db, folder, "cjs_migrations");
		assert.deepEqual(await db.knex("cjs"), []);
	});

	it("keep their history when a build turns .ts into .js", async () => {
		await migrate(db, folderOf({ "001_built.ts": creates("built") }), "built_migrations");
		await migrate(db, folderOf({ "001_built.js": creates("built"), "002_more.js": creates("more") }), "built_migrations");
		assert.deepEqual(await ran("built_migrations"), ["001_built", "002_more"]);
	});

	it("run from a URL without a slash at its end, too", async () => {
		await migrate(db, pathToFileURL(folderOf({ "001_url.js": creates("by_url") })), "url_migrations");
		assert.deepEqual(await ran("url_migrations"), ["001_url"]);
	});

	for (const file of ["002_b.sql", "002_b.tsx", "README.md", "002_b"])
		it(`are refused with one line that names the file when there is a ${file}`, async () => {
			const folder = folderOf({ "001_never.js": creates("never"), [file]: "" });
			await assert.rejects(migrate(db, folder, "refused_migrations"), ({ message }: Error) => {
				assert.equal(message, `${join(folder, file)} is no migration: it must end in .ts, .js or .mjs`);
				return true;
			});
			assert.equal(await db.knex.schema.hasTable("never"), false);
		});

	it("are refused when two files have one name", async () => {
		const folder = folderOf({ "001_never.js": creates("never"), "001_never.ts": creates("never") });
		await assert.rejects(
			migrate(db, folder, "refused_migrations"),
			/two migrations of one name: 001_never\.js and 001_never\.ts/
		);
	});

	it("are listed in a table named after the service, or in the one given", async () => {
		const start = async (name: string, options?: { table: string }) => {
			const broker = new ServiceBroker({ logger: false });
			// The broker's services close the database when they stop.
			const kept = { ...db, close: async () => {} };
			broker.createService({ name, mixins: [database(kept, folderOf({ [`001_${name}.js`]: creates(name) }), options)] });
			await broker.start();
			await broker.stop();
		};
		await start("shop");
		await start("till", { table: "other" });
		assert.deepEqual([await ran("shop_migrations"), await ran("other")], [["001_shop"], ["001_till"]]);
	});
});

it("importing the mixin for a server loads no PGlite", async () => {
	const script = `await import(${JSON.stringify(join(import.meta.dirname, "database.ts"))})`;
	const hook = `import { registerHooks } from "node:module";
		registerHooks({ resolve(name, context, next) { if (name.includes("pglite")) throw new Error("PGlite is loaded"); return next(name, context); } });`;
	await promisify(execFile)(process.execPath, ["--input-type=module", "-e", `${hook}\n${script}`]);
});
