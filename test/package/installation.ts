// The package @plaza/mixins, packed and installed in an empty folder, as a foreign application has it.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import mixins from "../../mixins/package.json" with { type: "json" };
import project from "../../package.json" with { type: "json" };

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const INSTALL_TIMEOUT_MS = 240_000;

/** Moleculer 0.15 accepts ioredis 5 alone, so npm refuses a newer one unless the application overrides that, as Plaza does. */
const IOREDIS = "5.11.1";
const pinned: Record<string, string> = { ...project.dependencies, ...project.devDependencies, ioredis: IOREDIS };
/** The drivers of all exports, and the types that the declarations need. */
const packages = [...Object.keys(mixins.peerDependencies), "@types/node"];

export interface Installation {
	/** The folder of the application: examples and applications below it find the package in its node_modules. */
	folder: string;
	/** The folder of the installed package. */
	packageFolder: string;
	/** A folder of an application that has the package and only these other packages. */
	folderWithOnly(drivers: string[]): string;
	remove(): void;
}

/** What packing needs of the project, in a folder of its own: builds of several tests at once must not meet in one. */
function copySources(to: string) {
	mkdirSync(to);
	for (const path of ["package.json", "tsconfig.json", "mixins"]) cpSync(join(root, path), join(to, path), { recursive: true });
	symlinkSync(join(root, "node_modules"), join(to, "node_modules"));
}

/** Packs the package, and installs it together with the drivers of all its exports. */
export async function installPackage(): Promise<Installation> {
	const temporary = mkdtempSync(join(tmpdir(), "plaza-package-"));
	const folder = join(temporary, "application");
	const packageFolder = join(folder, "node_modules/@plaza/mixins");
	try {
		const sources = join(temporary, "sources");
		copySources(sources);
		await run("npm", ["pack", "--workspace", "mixins", "--pack-destination", temporary], {
			cwd: sources,
			timeout: INSTALL_TIMEOUT_MS
		});
		const tarball = readdirSync(temporary).find(name => name.endsWith(".tgz"))!;
		mkdirSync(folder);
		writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "application", private: true, type: "module" }));
		const wanted = packages.map(name => `${name}@${pinned[name]}`);
		const options = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];
		await run("npm", ["install", ...options, join(temporary, tarball), ...wanted], { cwd: folder, timeout: INSTALL_TIMEOUT_MS });
	} catch (error) {
		rmSync(temporary, { recursive: true, force: true });
		throw error;
	}
	return {
		folder,
		packageFolder,
		folderWithOnly(drivers) {
			const other = mkdtempSync(join(temporary, "only-"));
			writeFileSync(join(other, "package.json"), JSON.stringify({ private: true, type: "module" }));
			cpSync(packageFolder, join(other, "node_modules/@plaza/mixins"), { recursive: true });
			for (const name of drivers) {
				const link = join(other, "node_modules", name);
				mkdirSync(dirname(link), { recursive: true });
				symlinkSync(join(folder, "node_modules", name), link);
			}
			return other;
		},
		remove: () => rmSync(temporary, { recursive: true, force: true })
	};
}

/** Runs one file of an installed application with this Node to its end; rejects with its output where it fails. */
export async function runFile(file: string, timeoutMs = 240_000): Promise<string> {
	const { stdout, stderr } = await run(process.execPath, [file], {
		cwd: dirname(file),
		timeout: timeoutMs,
		killSignal: "SIGKILL",
		// Nothing of this process's own environment but what finds programs and temporary files.
		env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: tmpdir(), NO_COLOR: "1" }
	});
	return stdout + stderr;
}

const COMPILER_OPTIONS = {
	target: "ES2024",
	module: "NodeNext",
	strict: true,
	noEmit: true,
	allowImportingTsExtensions: true,
	// Off: the declarations of the package are checked too. Errors in those of other packages are none of ours.
	skipLibCheck: false,
	types: ["node"]
};

/** The errors that strict TypeScript finds in these files (globs in the application's folder) and in the package's own declarations. */
export async function typeErrors({ folder }: Pick<Installation, "folder">, include: string[]): Promise<string[]> {
	const config = join(folder, "tsconfig.json");
	writeFileSync(config, JSON.stringify({ compilerOptions: COMPILER_OPTIONS, include }));
	const compiler = join(root, "node_modules/typescript/bin/tsc");
	const output = await run(process.execPath, [compiler, "--project", config, "--pretty", "false"], { cwd: folder }).then(
		({ stdout }) => stdout,
		({ stdout, stderr }: { stdout: string; stderr: string }) => stdout || stderr
	);
	const lines = output.split("\n").filter(line => /\berror\b/.test(line));
	return lines.filter(line => !/^node_modules\/(?!@plaza\/)/.test(line));
}
