"""What every step of a task works with."""

from dataclasses import dataclass, replace

from synthmill.generators.base import Context
from synthmill.generators.docdancer.records import DocumentReference
from synthmill.generators.docdancer.settings import DocDancerSettings
from synthmill.schemas.lineage import SourceRef
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.prompt_documents import PromptDocument, PromptDocuments
from synthmill.sources.documents.views import outline_xml


@dataclass(frozen=True, slots=True)
class DocumentTask:
    """A task's context with its document and the settings."""

    context: Context
    document: Document
    settings: DocDancerSettings

    def scoped(self, prefix: str) -> "DocumentTask":
        """The same with `prefix/` in front of every purpose."""
        return replace(self, context=self.context.scoped(prefix))

    @property
    def outline(self) -> PromptDocuments:
        """The document's outline as data in a prompt."""
        outline = outline_xml(self.document)[: self.settings.exploration.outline_chars]
        return PromptDocuments(documents=(PromptDocument(self.document.title, outline),))

    @property
    def reference(self) -> DocumentReference:
        """The document as rows name it."""
        one = self.document
        return DocumentReference(
            uri=one.uri,
            title=one.title,
            sha256=one.sha256,
            pages=len(one.pages),
            file_sha256=one.original.sha256 if one.original else None,
        )

    def source(self, start: int | None = None, end: int | None = None) -> SourceRef:
        """The document, or a span of its text, as lineage."""
        one = self.document
        return SourceRef(
            uri=one.uri,
            sha256=one.sha256,
            title=one.title,
            license=one.license,
            start=start,
            end=end,
        )
