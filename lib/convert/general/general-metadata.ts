import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, isJsonObject, type JsonObject } from '../checkpoint/index.js';
import type { MetadataBuilder } from '../metadata-builder.js';
import { type ModelCard, readModelCard } from './model-card.js';
import { type NameParts, nameParts, sizeLabelOf, titleOf } from './model-name.js';

/** What tells people about a model. Source: `Metadata` in gguf-py/gguf/metadata.py of the pinned llama.cpp. */
export async function addGeneralMetadata(
  metadata: MetadataBuilder,
  { folder, config }: Pick<Checkpoint, 'folder' | 'config'>,
  modelName: string,
  parameterCount: number,
): Promise<void> {
  const card = await readModelCard(folder);
  metadata.string('general.type', 'model');
  addSampling(metadata, await readGenerationConfig(folder));
  const names = combineNames(card, config, modelName, parameterCount);
  metadata.string('general.name', names.name ?? modelName);
  metadata.string('general.author', textOf(card, 'author', 'model_author', 'model_creator'));
  metadata.string('general.version', names.version);
  metadata.string('general.organization', names.organization);
  metadata.string('general.finetune', names.finetune);
  metadata.string('general.basename', names.basename);
  metadata.string('general.description', textOf(card, 'description', 'model_description'));
  metadata.string(
    'general.size_label',
    names.sizeLabel ?? (parameterCount > 0 ? sizeLabelOf(parameterCount) : undefined),
  );
  addLicense(metadata, card);
  metadata.string('general.source.url', textOf(card, 'url', 'model_url'));
  metadata.string('general.source.doi', textOf(card, 'doi', 'model_doi'));
  metadata.string('general.source.uuid', textOf(card, 'uuid', 'model_uuid'));
  metadata.string('general.source.repo_url', textOf(card, 'repo_url', 'model_repo_url'));
  addRelated(
    metadata,
    'base_model',
    listOf(card, 'base_model', 'base_models', 'base_model_sources'),
    parameterCount,
  );
  addRelated(metadata, 'dataset', listOf(card, 'datasets', 'dataset', 'dataset_sources'), parameterCount);
  metadata.strings('general.tags', [
    ...(listOf(card, 'tags') ?? []),
    ...(listOf(card, 'pipeline_tag') ?? []),
  ]);
  metadata.strings('general.languages', [
    ...(listOf(card, 'languages') ?? []),
    ...(listOf(card, 'language') ?? []),
  ]);
}

function textOf(card: ModelCard, ...keys: readonly string[]): string | undefined {
  return keys.map((key) => card[key]).find((value) => typeof value === 'string');
}

function listOf(card: ModelCard, ...keys: readonly string[]): readonly string[] | undefined {
  const value = keys.map((key) => card[key]).find((entry) => entry !== undefined);
  return typeof value === 'string' ? [value] : value;
}

/** The card knows best, then the name in config.json, then the name of the repository or folder. */
function combineNames(
  card: ModelCard,
  config: JsonObject,
  modelName: string,
  parameterCount: number,
): NameParts {
  const fromCard: NameParts = {
    name: textOf(card, 'name', 'model_name'),
    version: textOf(card, 'version', 'model_version'),
    organization: textOf(card, 'organization', 'model_organization'),
    finetune: textOf(card, 'finetune', 'model_finetune'),
    basename: textOf(card, 'basename', 'model_basename', 'model_type'),
    sizeLabel: textOf(card, 'size_label', 'model_size_label'),
  };
  const path = config._name_or_path;
  const isName = typeof path === 'string' && path.split('/').length <= 2;
  const fromConfig = isName ? titled(nameParts(path, parameterCount)) : {};
  const fromName = titled(nameParts(modelName, parameterCount));
  const all = [fromCard, fromConfig, fromName];
  const first = (key: keyof NameParts) => all.map((parts) => parts[key]).find((value) => value !== undefined);
  return {
    name: first('name'),
    version: first('version'),
    organization: first('organization'),
    finetune: first('finetune'),
    basename: first('basename'),
    sizeLabel: first('sizeLabel'),
  };
}

function titled(parts: NameParts): NameParts {
  return {
    ...parts,
    name: parts.name === undefined ? undefined : titleOf(parts.name),
    organization: parts.organization === undefined ? undefined : titleOf(parts.organization),
  };
}

function addLicense(metadata: MetadataBuilder, card: ModelCard): void {
  const license = card.license;
  metadata.string('general.license', typeof license === 'string' ? license : license?.join(','));
  metadata.string('general.license.name', textOf(card, 'license_name'));
  metadata.string('general.license.link', textOf(card, 'license_link'));
}

/** Models and data that a model was made from. */
function addRelated(
  metadata: MetadataBuilder,
  kind: 'base_model' | 'dataset',
  ids: readonly string[] | undefined,
  parameterCount: number,
): void {
  if (ids === undefined) return;
  metadata.uint32(`general.${kind}.count`, ids.length);
  ids.forEach((id, index) => {
    const [, inUrl] = /^https?:\/\/huggingface\.co\/([^/]+\/[^/]+)$/.exec(id) ?? [];
    const isUrl = /^(https?|ssh):\/\//.test(id);
    const parts: NameParts = isUrl && inUrl === undefined ? {} : nameParts(inUrl ?? id, parameterCount);
    const { name, organization, version } = titled(parts);
    const url = isUrl ? id : `https://huggingface.co/${parts.organization}/${parts.name}`;
    metadata.string(`general.${kind}.${index}.name`, name);
    metadata.string(`general.${kind}.${index}.version`, version);
    metadata.string(`general.${kind}.${index}.organization`, organization);
    if (isUrl || parts.organization !== undefined) metadata.string(`general.${kind}.${index}.repo_url`, url);
  });
}

async function readGenerationConfig(folder: string): Promise<JsonObject> {
  try {
    const value: unknown = JSON.parse(await readFile(join(folder, 'generation_config.json'), 'utf8'));
    return isJsonObject(value) ? value : {};
  } catch {
    return {}; // not all of them are valid, and nothing depends on it
  }
}

/** Settings of the sampler that its makers recommend. */
function addSampling(metadata: MetadataBuilder, config: JsonObject): void {
  const number = (...keys: readonly string[]) =>
    keys.map((key) => config[key]).find((value): value is number => typeof value === 'number');
  metadata.int32('general.sampling.top_k', number('top_k'));
  metadata.float32('general.sampling.top_p', number('top_p'));
  metadata.float32('general.sampling.min_p', number('min_p'));
  metadata.float32('general.sampling.xtc_probability', number('xtc_probability'));
  metadata.float32('general.sampling.xtc_threshold', number('xtc_threshold'));
  metadata.float32('general.sampling.temp', number('temperature'));
  metadata.int32('general.sampling.penalty_last_n', number('penalty_last_n'));
  metadata.float32('general.sampling.penalty_repeat', number('penalty_repeat', 'repetition_penalty'));
}
