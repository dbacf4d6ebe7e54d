// The package of the mixins as a foreign application gets it: from the tarball, with the drivers that it chooses itself.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { after, before, describe, it } from "node:test";
import mixins from "../../mixins/package.json" with { type: "json" };
import { scratchDataDir } from "../scratch.ts";
import { applicationSuite, copyApplication } from "./application.suite.ts";
import { examples, exportRows, needsServers } from "./documents.ts";
import { runExample, writeExample } from "./examples.ts";
import { type Installation, installPackage, runFile, typeErrors } from "./installation.ts";

const EXPORTS = Object.keys(mixins.exports).map(name => name.replace(/^\.\//, ""));
const PEERS = Object.keys(mixins.peerDependencies);
const root = join(import.meta.dirname, "../..");

/** The package that an import specifier names. */
const packageOf = (specifier: string) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

/** What a file of the package imports, be it JavaScript or a declaration. */
const importsOf = (file: string) =>
	[...readFileSync(file, "utf8").matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"'\n]+)["']/g)].map(
		([, specifier = ""]) => specifier
	);

/** The packages that a file of the package imports, directly and through other files of the package. */
function packagesBehind(file: string, extension: ".js" | ".d.ts", seen = new Set<string>()): Set<string> {
	if (seen.has(file)) return new Set();
	seen.add(file);
	const found = new Set<string>();
	for (const specifier of importsOf(file)) {
		if (specifier.startsWith("node:")) continue;
		if (!specifier.startsWith(".")) found.add(packageOf(specifier));
		else
			for (const one of packagesBehind(join(dirname(file), specifier.replace(/\.[jt]s$/, extension)), extension, seen))
				found.add(one);
	}
	return found;
}

/** For all of it together, on a slow machine too; each test has the limit of any other. */
const TIMEOUT_MS = 1_200_000;

describe("the package of the mixins, installed from its tarball", { timeout: TIMEOUT_MS }, () => {
	let installed: Installation;
	let application: string;
	let dataDir: string;
	before(async () => {
		[installed, dataDir] = await Promise.all([installPackage(), scratchDataDir()]);
		application = copyApplication(installed);
	});
	after(() => {
		installed?.remove();
		if (dataDir) rmSync(dataDir, { recursive: true, force: true });
	});

	it("holds JavaScript, declarations, the licence and a README for each export, and no source and no test", () => {
		const { packageFolder } = installed;
		const files = globSync("**/*", { cwd: packageFolder, withFileTypes: true })
			.filter(entry => entry.isFile())
			.map(entry => relative(packageFolder, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
		const others = files.filter(file => !/^dist\/.*(\.js|\.d\.ts)$/.test(file));
		const documents = exportRows().map(({ document }) => document);
		assert.deepEqual(others.sort(), ["LICENSE", "README.md", "package.json", ...documents].sort());
		assert.deepEqual(
			files.filter(file => /test|suite|fixture/.test(file)),
			[]
		);
		assert.equal(readFileSync(join(packageFolder, "LICENSE"), "utf8"), readFileSync(join(root, "LICENSE"), "utf8"));
	});

	it("has a row for each export in the table of its README", () => {
		assert.deepEqual(
			exportRows()
				.map(({ name }) => name)
				.sort(),
			[...EXPORTS].sort()
		);
		for (const { name, document } of exportRows()) assert.equal(document, `exports/${name.replace("/", ".")}.md`);
	});

	it("has declarations that import nothing but its peers", () => {
		const declarations = globSync("dist/**/*.d.ts", { cwd: installed.packageFolder }).map(file =>
			join(installed.packageFolder, file)
		);
		assert.ok(declarations.length >= EXPORTS.length);
		for (const file of declarations)
			for (const specifier of importsOf(file))
				assert.ok(/^(\.|node:)/.test(specifier) || PEERS.includes(packageOf(specifier)), `${file} imports ${specifier}`);
	});

	describe("installed with the drivers of one export", { concurrency: 2 }, () => {
		for (const { name, needs } of exportRows())
			it(`loads ${name} where only ${["moleculer", ...needs].join(", ")} is installed, and its declarations need no more`, async () => {
				const allowed = ["moleculer", ...needs];
				const { types, default: code } = mixins.exports[`./${name}` as keyof typeof mixins.exports];
				const behind = packagesBehind(join(installed.packageFolder, types), ".d.ts");
				assert.deepEqual(
					[...behind].filter(one => !allowed.includes(one)),
					[]
				);
				assert.ok(existsSync(join(installed.packageFolder, code)));
				const folder = installed.folderWithOnly(allowed);
				assert.equal(
					await runFile(writeExample(folder, { name: "load", code: `await import("@plaza/mixins/${name}");\n`, files: {} })),
					""
				);
			});
	});

	describe("runs the example of its README", { concurrency: 2 }, () => {
		for (const example of examples().filter(one => !needsServers(one)))
			it(example.name, async () => assert.equal(await runExample(installed.folder, example), example.output));
	});

	it("has examples, and an application, that strict TypeScript accepts, and declarations without an error", async () => {
		for (const example of examples()) writeExample(installed.folder, example);
		assert.deepEqual(await typeErrors(installed, ["examples/**/*.ts", `${relative(installed.folder, application)}/**/*.ts`]), []);
	});

	applicationSuite(
		"the embedded log",
		() => application,
		() => ({ DATA: dataDir })
	);
});
