import { execFile } from 'node:child_process';
import { readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { downloadCheckpointWith } from '../../lib/hub/checkpoint.js';
import { resolveModelWith } from '../../lib/hub/resolve-model.js';
import { commit, fakeModel, fastTuning, startHub, temporaryDirectory } from '../helpers/hub-fixtures.js';

/** A Python with the package huggingface_hub. Nobody else needs one, so without it these tests are left out. */
const python = process.env.LLAMA_NATIVE_HUB_PYTHON ?? '';

const files = {
  'config.json': Buffer.from('{}'),
  'tiny-Q4_K_M.gguf': fakeModel(100_000),
  'folder/模型-Q8_0.gguf': fakeModel(50_000, 'other'),
  'model.safetensors': fakeModel(70_000, 'weights'),
};

async function prepare() {
  const hub = await startHub({ 'maker/tiny': { commit, files, plainFiles: ['config.json'] } });
  const cacheDirectory = await temporaryDirectory();
  const options = { cacheDirectory, endpoint: hub.url, offline: false };
  const run = async (program: string) => {
    const env = {
      ...process.env,
      HF_ENDPOINT: hub.url,
      HF_HUB_CACHE: cacheDirectory,
      HF_HUB_DISABLE_XET: '1',
      HF_HUB_DISABLE_TELEMETRY: '1',
      PYTHONIOENCODING: 'utf-8',
    };
    const { stdout } = await promisify(execFile)(python, ['-c', program], { env });
    return stdout.trim();
  };
  return { hub, cacheDirectory, options, run };
}

/** Everything in a repository's folder, links with where they lead. */
async function layoutOf(cacheDirectory: string): Promise<string[]> {
  const root = join(cacheDirectory, 'models--maker--tiny');
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const lines = entries
    .filter((entry) => !entry.isDirectory() && !entry.parentPath.includes('.llama-native'))
    .map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(root.length + 1);
      return entry.isSymbolicLink() ? `${name} -> ${await readlink(path)}` : name;
    });
  return (await Promise.all(lines)).sort();
}

describe.runIf(python !== '')('the cache that is shared with huggingface_hub', { timeout: 60_000 }, () => {
  const download = (file: string) =>
    `from huggingface_hub import hf_hub_download; print(hf_hub_download('maker/tiny', '${file}'))`;

  it('has the layout that Python writes', async () => {
    const [ours, theirs] = [await prepare(), await prepare()];
    for (const file of ['tiny-Q4_K_M.gguf', 'folder/模型-Q8_0.gguf']) {
      await resolveModelWith(`hf:maker/tiny:${file}`, ours.options, fastTuning);
      await theirs.run(download(file));
    }
    expect(await layoutOf(ours.cacheDirectory)).toEqual(await layoutOf(theirs.cacheDirectory));
  });

  it('gives us what Python fetched, without a request for it', async () => {
    const { hub, options, run } = await prepare();
    const path = await run(download('tiny-Q4_K_M.gguf'));
    hub.requests.length = 0;
    expect(await resolveModelWith('hf:maker/tiny:Q4_K_M', options, fastTuning)).toBe(path);
    expect(hub.requests).toEqual([]);
  });

  it('gives Python what we fetched, offline', async () => {
    const { options, run } = await prepare();
    const path = await resolveModelWith('hf:maker/tiny:folder/模型-Q8_0.gguf', options, fastTuning);
    const offline = "import os; os.environ['HF_HUB_OFFLINE'] = '1'; ";
    expect(await run(offline + download('folder/模型-Q8_0.gguf'))).toBe(path);
    const folder = await downloadCheckpointWith('hf:maker/tiny', options, fastTuning);
    const snapshot = "from huggingface_hub import snapshot_download; print(snapshot_download('maker/tiny'))";
    expect(await run(offline + snapshot)).toBe(folder);
  });

  it('is read by scan_cache_dir without warnings, with models from web addresses and an interrupted one', async () => {
    const { hub, options, run } = await prepare();
    await resolveModelWith('hf:maker/tiny:Q4_K_M', options, fastTuning);
    hub.files['web.gguf'] = { body: fakeModel(5_000, 'web') };
    await resolveModelWith(`${hub.url}/files/web.gguf`, options, fastTuning);
    hub.misbehaviour.cutAfterBytes = [10_000, 0, 0, 0, 0];
    await resolveModelWith('hf:maker/tiny:Q8_0', options, fastTuning).catch(() => undefined);
    const report = JSON.parse(
      await run(
        'import json; from huggingface_hub import scan_cache_dir; info = scan_cache_dir(); ' +
          'print(json.dumps([[str(w) for w in info.warnings], [[r.repo_id, r.size_on_disk] for r in info.repos]]))',
      ),
    );
    expect(report[0]).toEqual([]);
    expect(report[1]).toContainEqual(['maker/tiny', 100_000]);
    expect(report[1]).toContainEqual([expect.stringMatching(/^llama-native\/url-/), 5_000]);
  });

  it('is not harmed by both fetching the same file at a time', async () => {
    const { hub, cacheDirectory, options, run } = await prepare();
    hub.misbehaviour.bytesPerSecond = 100_000;
    const [ours, theirs] = await Promise.all([
      resolveModelWith('hf:maker/tiny:Q4_K_M', options, fastTuning),
      run(download('tiny-Q4_K_M.gguf')),
    ]);
    expect(ours).toBe(theirs);
    expect((await stat(ours)).size).toBe(100_000);
    expect((await readdir(join(cacheDirectory, 'models--maker--tiny', 'blobs'))).length).toBe(1);
  });
});
