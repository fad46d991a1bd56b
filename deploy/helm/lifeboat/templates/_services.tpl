{{- /* What the pods of API and worker have alike. Each takes the context and the component. */ -}}

{{- define "lifeboat.podStart" -}}
{{- $context := index . 0 -}}
{{- $own := index $context.Values (index . 1) -}}
serviceAccountName: {{ include "lifeboat.serviceAccount" . }}
# Neither asks the API server. What a cloud's identity needs, it mounts by itself.
automountServiceAccountToken: false
# They would be named like settings.
enableServiceLinks: false
# Its first process reaps children.
shareProcessNamespace: true
{{- with $context.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $own.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "lifeboat.podSecurity" 10001 | nindent 2 }}
{{- end -}}

{{- define "lifeboat.podMetadata" -}}
{{- $context := index . 0 -}}
{{- $own := index $context.Values (index . 1) -}}
labels:
  {{- include "lifeboat.selector" . | nindent 2 }}
  {{- with $own.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $own.podAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "lifeboat.environment" -}}
{{- $context := index . 0 -}}
{{- $values := $context.Values -}}
{{- $own := index $values (index . 1) -}}
- name: LIFEBOAT_MODELS
  value: {{ $values.models.url | default "/models" | quote }}
{{- with $values.models.endpoint }}
- name: LIFEBOAT_STORE_ENDPOINT
  value: {{ . | quote }}
{{- end }}
- name: LIFEBOAT_REDIS_URL
  value: {{ include "lifeboat.redisUrl" $context | quote }}
{{- if include "lifeboat.redisSecret" $context }}
- name: LIFEBOAT_REDIS_PASSWORD_FILE
  value: /etc/lifeboat/redis/{{ $values.redis.passwordKey }}
{{- end }}
{{- if $values.redis.caConfigMap }}
- name: LIFEBOAT_REDIS_CA_FILE
  value: /etc/lifeboat/redis-ca/ca.crt
{{- end }}
{{- with $values.signingKey }}
{{- if .existingSecret }}
- name: LIFEBOAT_SIGNING_KEY_FILE
  value: /etc/lifeboat/signing-key/{{ .key }}
{{- if .oldKey }}
- name: LIFEBOAT_SIGNING_KEYS_OLD_FILE
  value: /etc/lifeboat/signing-key/{{ .oldKey }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := merge (dict) $own.env $values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "lifeboat.mounts" -}}
{{- $context := index . 0 -}}
{{- $values := $context.Values -}}
- name: tmp
  mountPath: /tmp
{{- if not $values.models.url }}
- name: models
  mountPath: /models
  {{- if eq (index . 1) "api" }}
  readOnly: true
  {{- end }}
{{- end }}
{{- if include "lifeboat.redisSecret" $context }}
- name: redis-password
  mountPath: /etc/lifeboat/redis
  readOnly: true
{{- end }}
{{- if $values.redis.caConfigMap }}
- name: redis-ca
  mountPath: /etc/lifeboat/redis-ca
  readOnly: true
{{- end }}
{{- if $values.signingKey.existingSecret }}
- name: signing-key
  mountPath: /etc/lifeboat/signing-key
  readOnly: true
{{- end }}
{{- end -}}

{{- define "lifeboat.volumes" -}}
{{- $context := index . 0 -}}
{{- $values := $context.Values -}}
# In memory, and part of the container's.
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{- if not $values.models.url }}
- name: models
  persistentVolumeClaim:
    claimName: {{ include "lifeboat.modelsClaim" $context }}
    {{- if eq (index . 1) "api" }}
    readOnly: true
    {{- end }}
{{- end }}
{{- with include "lifeboat.redisSecret" $context }}
- name: redis-password
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with $values.redis.caConfigMap }}
- name: redis-ca
  configMap: {name: {{ . }}}
{{- end }}
{{- with $values.signingKey.existingSecret }}
- name: signing-key
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end -}}
