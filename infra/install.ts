// Installs what the servers run from: packages of the operating system, and jars from Maven Central.
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "./settings.ts";

const run = promisify(execFile);

/** A program that a server requires, and the Debian package that installs it. */
export interface Tool {
	name: string;
	package: string;
	found(): boolean;
}

export const onPath = (command: string) => (process.env.PATH ?? "").split(delimiter).some(dir => existsSync(join(dir, command)));

const javaMajor = () => {
	// Expected output: "openjdk 17.0.15 2025-04-15". A Java that rejects the option `--version` is older than 9.
	const { stdout } = spawnSync("java", ["--version"], { encoding: "utf8" });
	return Number(/\s(\d+)/.exec(stdout ?? "")?.[1] ?? 0);
};

export const java: Tool = { name: "Java 17 or newer", package: "openjdk-17-jre-headless", found: () => javaMajor() >= 17 };
export const maven: Tool = { name: "Maven", package: "maven", found: () => onPath("mvn") };

/** Installs missing tools and jars. Throws an error with one line that names what could not be installed. */
export async function install(requirements: { tools: Tool[]; jars?: readonly string[] }[]): Promise<void> {
	await installPackages([...new Set(requirements.flatMap(({ tools }) => tools))]);
	// Sequential: two Maven processes must not write to the local repository at the same time.
	for (const { jars } of requirements) if (jars) await fetchJars(jars);
}

/** Installs with apt-get, which requires root. */
async function installPackages(tools: Tool[]): Promise<void> {
	const missing = tools.filter(tool => !tool.found());
	if (missing.length === 0) return;
	const packages = missing.map(tool => tool.package);
	const names = missing.map(tool => tool.name).join(", ");
	if (process.getuid?.() !== 0 || !onPath("apt-get")) {
		throw new Error(`${names} not found: install it with the system's packages (Debian: apt-get install ${packages.join(" ")})`);
	}
	console.log(`installing ${packages.join(" ")} for ${names}`);
	// Otherwise the packages of Postgres and Redis would start their own servers on the ports that ours use.
	mkdirSync("/etc/postgresql-common/createcluster.d", { recursive: true });
	writeFileSync("/etc/postgresql-common/createcluster.d/no-main.conf", "create_main_cluster = false\n");
	const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
	await run("apt-get", ["update"], { env });
	await run("apt-get", ["install", "-y", "--no-install-recommends", ...packages], { env, maxBuffer: 1 << 26 });
	const stillMissing = missing.filter(tool => !tool.found());
	if (stillMissing.length > 0)
		throw new Error(`${stillMissing.map(tool => tool.name).join(", ")} not found although apt-get installed it`);
}

/** The directory with the jars of one server. `coordinates`: `group:artifact:version`, the server's own artifact first. */
export function jarsDir([own]: readonly string[]): string {
	const [, artifact, version] = own!.split(":");
	return join(cacheDir, `${artifact}-${version}`);
}

/** Downloads a server's jars and their dependencies from Maven Central, unless they are cached. */
async function fetchJars(coordinates: readonly string[]): Promise<void> {
	const dir = jarsDir(coordinates);
	if (existsSync(dir)) return;
	const partial = `${dir}.partial`;
	const pom = `${dir}.pom.xml`;
	rmSync(partial, { recursive: true, force: true });
	mkdirSync(cacheDir, { recursive: true });
	writeFileSync(pom, pomOf(coordinates));
	console.log(`fetching ${coordinates.join(" and ")} from Maven Central`);
	const goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
	await run("mvn", ["-B", "-q", "-f", pom, goal, "-DincludeScope=runtime", `-DoutputDirectory=${partial}`], {
		maxBuffer: 1 << 26
	});
	renameSync(partial, dir);
}

const pomOf = (coordinates: readonly string[]) => `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>plaza</groupId><artifactId>infra</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${coordinates
	.map(one => one.split(":"))
	.map(
		([group, artifact, version]) =>
			`<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
	)
	.join("")}</dependencies>
</project>
`;
