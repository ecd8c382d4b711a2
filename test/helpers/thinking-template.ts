/** A chat template that opens the model's thoughts in the prompt, so that any model thinks. */
export const thinkingTemplate = `{%- for m in messages -%}<|im_start|>{{ m.role }}
{% if m.reasoning_content %}<think>
{{ m.reasoning_content }}
</think>

{% endif %}{{ m.content }}<|im_end|>
{% endfor %}{%- if add_generation_prompt -%}<|im_start|>assistant
<think>
{%- endif -%}`;
